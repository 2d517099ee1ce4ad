function Find-AccountDomain {
    <#
    .SYNOPSIS
    Finds the cross-reference of the domain that an account's name itself says it is of; nothing when it says none.
    .PARAMETER Name
    DOMAIN\NAME or a user principal name.
    .PARAMETER Domains
    The cross-references of the forest's domains.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Domains
    )
    $netbios = if ($Name.Contains('\')) { $Name.Substring(0, $Name.LastIndexOf('\')) } else { '' }
    if ($netbios -ne '') { $wanted, $attributes = $netbios, @('nETBIOSName', 'dnsRoot') }
    elseif ($Name.Contains('@')) { $wanted, $attributes = $Name.Substring($Name.LastIndexOf('@') + 1), @('dnsRoot') }
    else { return }
    foreach ($attribute in $attributes) {
        foreach ($one in $Domains) {
            if (@(Get-EntryText -Entry $one -Name $attribute) -contains $wanted) { return $one }
        }
    }
}

function Get-AccountPlace {
    <#
    .SYNOPSIS
    Says where to ask about an account: the connection and the naming context. Connects to its domain where need be.
    .PARAMETER Name
    The name of the account.
    .PARAMETER Forest
    The session, the cross-references of the forest's domains, and the sessions with other domains so far.
    #>
    param([Parameter(Mandatory = $true)] [string] $Name, [Parameter(Mandatory = $true)] [hashtable] $Forest)
    $here = $Forest.Session
    $domain = Find-AccountDomain -Name $Name -Domains $Forest.Domains
    if ($null -eq $domain -and $Name.Contains('\')) {
        throw "$Name is not of a domain of this forest. Look at that account by hand."
    }
    if ($null -eq $domain -or @(Get-EntryText -Entry $domain -Name 'nCName') -contains $here.Base) {
        return @{ Connection = $here.Connection; Base = $here.Base; Here = $true }
    }
    $root = @(Get-EntryText -Entry $domain -Name 'dnsRoot')[0]
    if (-not $Forest.Elsewhere.ContainsKey($root)) {
        $secure = $here.SecureSocketLayer
        $Forest.Elsewhere[$root] = Get-DirectorySession -Server $root -Domain -SecureSocketLayer:$secure
    }
    $context = @(Get-EntryText -Entry $domain -Name 'nCName')[0]
    return @{ Connection = $Forest.Elsewhere[$root].Connection; Base = $context; Here = $false }
}

function Get-DirectoryAccount {
    <#
    .SYNOPSIS
    Looks one account up. A controller of another domain that fails makes only this account unreadable.
    .PARAMETER Name
    DOMAIN\NAME, a user principal name, or a bare name.
    .PARAMETER Forest
    As Get-AccountPlace takes it.
    #>
    param([Parameter(Mandatory = $true)] [string] $Name, [Parameter(Mandatory = $true)] [hashtable] $Forest)
    $place = @{ Here = $false }
    try {
        $place = Get-AccountPlace -Name $Name -Forest $Forest
        return Read-DirectoryAccount -Name $Name -Place $place -Domains $Forest.Domains
    }
    catch {
        if ($place.Here) { throw }
        $cause = Get-DirectoryCause -Exception $_.Exception
        $refused = New-UnreadableFact -Why $cause.Message -Code (Get-DirectoryErrorCode -Exception $cause)
        return @{ name = $Name; entry = $refused; token_groups = $refused }
    }
}

function Read-DirectoryAccount {
    <#
    .SYNOPSIS
    Reads an account, and the SIDs of all its groups with one more search.
    .PARAMETER Name
    The name of the account.
    .PARAMETER Place
    Where to ask.
    .PARAMETER Domains
    The cross-references of the forest's domains.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [hashtable] $Place,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Domains
    )
    $filter = Get-AccountFilter -Name $Name
    $found = Get-EntryListFact -Connection $Place.Connection -Base $Place.Base -Of 'Principal' -Filter $filter
    $entry = ConvertTo-AccountFact -Name $Name -Found $found -Domains $Domains
    if (-not $entry.ContainsKey('value')) {
        return @{ name = $Name; entry = $entry; token_groups = New-UnreadableFact -Why 'the account is not known' }
    }
    return @{ name = $Name; entry = $entry; token_groups = Get-TokenGroupFact -Place $Place -Dn $entry.value.dn }
}

function ConvertTo-AccountFact {
    <#
    .SYNOPSIS
    Makes one account of what was found, none, or that it cannot be told.
    .DESCRIPTION
    A user principal name may have a suffix of its own; then the account may live in any domain of the forest.
    .PARAMETER Name
    The name of the account.
    .PARAMETER Found
    The fact of what was found.
    .PARAMETER Domains
    The cross-references of the forest's domains.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [hashtable] $Found,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Domains
    )
    if (-not $Found.ContainsKey('value')) { return $Found }
    if ($Found.value.Count -eq 1) { return New-ValueFact -Value $Found.value[0] }
    if ($Found.value.Count -gt 1) { return New-UnreadableFact -Why "$($Found.value.Count) accounts have this name" }
    $elsewhere = $Name.Contains('@') -and $Domains.Count -gt 1
    if ($elsewhere -and $null -eq (Find-AccountDomain -Name $Name -Domains $Domains)) {
        return New-UnreadableFact -Why 'it is not in this domain, and the forest has others it may be in'
    }
    return New-AbsentFact
}

function Get-TokenGroupFact {
    <#
    .SYNOPSIS
    Reads the SIDs of all groups of an account, nested ones too; the attribute is answered to a base search alone.
    .PARAMETER Place
    Where to ask.
    .PARAMETER Dn
    The DN of the account.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Place, [Parameter(Mandatory = $true)] [string] $Dn)
    return Get-DirectoryFact -Reading {
        $found = @(Find-DirectoryEntry -Connection $Place.Connection -Base $Dn -Scope 'Base' -Attribute 'tokenGroups')
        return New-ListFact -Items @(foreach ($entry in $found) { Get-EntryOctet -Entry $entry -Name 'tokenGroups' })
    }
}

function Get-AccountFilter {
    <#
    .SYNOPSIS
    Writes the filter that finds an account: by its sAMAccountName, or by its user principal name.
    .PARAMETER Name
    The name of the account.
    #>
    param([Parameter(Mandatory = $true)] [string] $Name)
    $bare = $Name.Substring($Name.LastIndexOf('\') + 1)
    $short = ConvertTo-FilterText -Text $bare.Split('@')[0]
    if (-not $bare.Contains('@')) { return "(sAMAccountName=$short)" }
    return "(|(userPrincipalName=$(ConvertTo-FilterText -Text $bare))(sAMAccountName=$short))"
}

function Get-ComputerFilter {
    <#
    .SYNOPSIS
    Writes the filter that finds a computer: by its DNS name, or by its account when the name is short.
    .PARAMETER Name
    The name of the computer.
    #>
    param([Parameter(Mandatory = $true)] [string] $Name)
    if ($Name.Contains('.')) { return "(dNSHostName=$(ConvertTo-FilterText -Text $Name))" }
    $short = if ($Name.EndsWith('$')) { $Name.Substring(0, $Name.Length - 1) } else { $Name }
    return "(sAMAccountName=$(ConvertTo-FilterText -Text $short)`$)"
}
