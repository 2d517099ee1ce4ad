function Find-DirectoryEntry {
    <#
    .SYNOPSIS
    Searches and returns the entries found, by DN, each as dn and attributes. Large answers come in pages.
    .DESCRIPTION
    Throws a DirectoryOperationException when the server refuses, an LdapException when it is gone.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER Base
    The DN to search at; the empty one is the root DSE.
    .PARAMETER Attribute
    The attributes to ask for.
    .PARAMETER Filter
    The search filter; everything without it.
    .PARAMETER Scope
    Whether to look at the object itself, one level or the whole subtree.
    .PARAMETER Descriptor
    Asks for owner, group and DACL of each; with the SACL the attribute would need a privilege.
    .PARAMETER PageSize
    How many entries to ask for at a time.
    #>
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Base,
        [Parameter(Mandatory = $true)] [string[]] $Attribute,
        [string] $Filter = '(objectClass=*)',
        [ValidateSet('Base', 'OneLevel', 'Subtree')] [string] $Scope = 'Subtree',
        [switch] $Descriptor, [int] $PageSize = 500
    )
    $request = [System.DirectoryServices.Protocols.SearchRequest]::new(
        $Base, $Filter, [System.DirectoryServices.Protocols.SearchScope] $Scope, $Attribute)
    if ($Descriptor) {
        $parts = [System.DirectoryServices.Protocols.SecurityMasks] 'Owner, Group, Dacl'
        $null = $request.Controls.Add([System.DirectoryServices.Protocols.SecurityDescriptorFlagControl]::new($parts))
    }
    $page = [System.DirectoryServices.Protocols.PageResultRequestControl]::new($PageSize)
    if ($Scope -ne 'Base') { $null = $request.Controls.Add($page) }
    $binary = Get-DirectoryAttributeName -Of 'Binary'
    $found = do {
        $answer = Get-SearchAnswer -Connection $Connection -Request $request
        foreach ($entry in $answer.Entries) { ConvertTo-DirectoryEntry -Found $entry -Binary $binary }
        $page.Cookie = Get-PageCookie -Answer $answer
    } while ($page.Cookie.Length -gt 0)
    return ConvertTo-OrdinalOrder -Keys @(foreach ($one in @($found)) { $one.dn.ToLowerInvariant() }) -Items @($found)
}

function Get-SearchAnswer {
    <#
    .SYNOPSIS
    Sends a search. An answer that only refers to another server is a refusal, which the client itself lets pass.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER Request
    The SearchRequest.
    #>
    param([Parameter(Mandatory = $true)] [object] $Connection, [Parameter(Mandatory = $true)] [object] $Request)
    $answer = $Connection.SendRequest($Request)
    if ($answer.ResultCode -eq [System.DirectoryServices.Protocols.ResultCode]::Success) { return $answer }
    throw [System.DirectoryServices.Protocols.DirectoryOperationException]::new($answer, 'it refers to another server')
}

function Get-PageCookie {
    <#
    .SYNOPSIS
    Takes from an answer what the next page is asked for with; no bytes after the last page.
    .PARAMETER Answer
    The SearchResponse.
    #>
    param([Parameter(Mandatory = $true)] [object] $Answer)
    foreach ($control in $Answer.Controls) {
        if ($control -is [System.DirectoryServices.Protocols.PageResultResponseControl]) { return , $control.Cookie }
    }
    return , [byte[]]::new(0)
}

function ConvertTo-OrdinalOrder {
    <#
    .SYNOPSIS
    Returns items in the order of their keys, which no language of Windows changes; of equal keys the last.
    .PARAMETER Keys
    The key of each item.
    .PARAMETER Items
    The items.
    #>
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [AllowEmptyString()] [string[]] $Keys,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Items
    )
    $order = [System.Collections.SortedList]::new([System.StringComparer]::Ordinal)
    for ($number = 0; $number -lt $Keys.Length; $number++) { $order[$Keys[$number]] = $Items[$number] }
    return @($order.Values)
}

function Get-DirectoryFact {
    <#
    .SYNOPSIS
    Runs one search by itself: what does not exist is absent, what the server refuses is unreadable.
    .DESCRIPTION
    Whatever else goes wrong is thrown: with the connection gone there is nothing left to read.
    .PARAMETER Reading
    Returns one fact.
    #>
    param([Parameter(Mandatory = $true)] [scriptblock] $Reading)
    try { return & $Reading }
    catch {
        $cause = Get-DirectoryCause -Exception $_.Exception
        if ($cause -isnot [System.DirectoryServices.Protocols.DirectoryOperationException]) { throw }
        $code = Get-DirectoryErrorCode -Exception $cause
        if ($code -eq 'LDAP 32') { return New-AbsentFact }
        return New-UnreadableFact -Why "the domain controller refused: $($cause.Message)" -Code $code
    }
}

function ConvertTo-FilterText {
    <#
    .SYNOPSIS
    Writes a text as it stands in a search filter (RFC 4515): letters, digits and -._@ as they are, all else in hex.
    .PARAMETER Text
    The text.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text)
    $parts = foreach ($byte in [System.Text.Encoding]::UTF8.GetBytes($Text)) {
        if ([char] $byte -cmatch '^[A-Za-z0-9._@-]$') { [string] [char] $byte } else { '\{0:x2}' -f $byte }
    }
    return -join $parts
}
