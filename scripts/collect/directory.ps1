<#
.SYNOPSIS
    Functions that read Active Directory for remediate. They change nothing.
.DESCRIPTION
    Get-DirectoryDocument is the one to call. It needs the functions of scripts/lib; `remediate collect --scripts`
    writes a file that has them.
#>


function Get-DirectoryStart {
    <#
    .SYNOPSIS
    Begins the document of the directory: the domain, the partitions, everything below CN=Public Key Services.
    .PARAMETER Session
    The session with the domain controller.
    .PARAMETER Collector
    The name and version of the collector.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Session, [Parameter(Mandatory = $true)] [string] $Collector)
    $here, $forest = $Session.Connection, $Session.Configuration
    $services = "CN=Public Key Services,CN=Services,$forest"
    $crossReferences = @{ Base = "CN=Partitions,$forest"; Filter = '(objectClass=crossRef)'; Scope = 'OneLevel' }
    return @{
        format_version      = '1.0'
        role                = 'directory'
        collector           = $Collector
        read_from           = $Session.Server
        read_at             = Format-UtcTime -Time ([datetime]::UtcNow)
        read_as             = Get-ReaderName
        root_dse            = $Session.RootDse
        domain              = Get-DomainEntryFact -Session $Session
        partitions          = Get-EntryListFact -Connection $here -Of 'CrossReference' @crossReferences
        public_key_services = Get-EntryListFact -Connection $here -Of 'Services' -Base $services
    }
}

function Get-DomainEntryFact {
    <#
    .SYNOPSIS
    Reads the domain itself.
    .PARAMETER Session
    The session with the domain controller.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Session)
    return Get-DirectoryFact -Reading {
        $names = Get-DirectoryAttributeName -Of 'Domain'
        $search = @{ Connection = $Session.Connection; Base = $Session.Base; Scope = 'Base'; Attribute = $names }
        return New-ValueFact -Value @(Find-DirectoryEntry @search)[0]
    }
}

function Get-ComputerFact {
    <#
    .SYNOPSIS
    Looks all computers up in one search.
    .PARAMETER Session
    The session with the domain controller.
    .PARAMETER Names
    DNS names or short names.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Session,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [string[]] $Names
    )
    if ($Names.Count -eq 0) { return New-ListFact -Items @() }
    $wanted = -join @(foreach ($name in $Names) { Get-ComputerFilter -Name $name })
    $search = @{ Connection = $Session.Connection; Base = $Session.Base; Of = 'Principal' }
    return Get-EntryListFact -Filter "(&(objectCategory=computer)(|$wanted))" @search
}

function Get-PrincipalFact {
    <#
    .SYNOPSIS
    Looks up who stands in the descriptors of enrollment services and published templates, and the broad groups.
    .PARAMETER Session
    The session with the domain controller.
    .PARAMETER Start
    The document so far.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Session, [Parameter(Mandatory = $true)] [hashtable] $Start)
    $services = @(if ($Start.public_key_services.ContainsKey('value')) { $Start.public_key_services.value })
    $sids = @(Get-NamedSid -Services $services) + @(Get-BroadSid -Domain $Start.domain)
    $query = -join @(foreach ($sid in Get-UniqueName -Names $sids) { "(objectSid=$($sid -replace '..', '\$0'))" })
    return Get-EntryListFact -Connection $Session.Connection -Base $Session.Base -Of 'Principal' -Filter "(|$query)"
}

function Get-BroadGroupFact {
    <#
    .SYNOPSIS
    Looks up the groups in which everybody stands by nesting.
    .PARAMETER Session
    The session with the domain controller.
    .PARAMETER Domain
    The fact of the domain.
    .PARAMETER Principals
    The fact of who stands in the descriptors.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Session,
        [Parameter(Mandatory = $true)] [hashtable] $Domain,
        [Parameter(Mandatory = $true)] [hashtable] $Principals
    )
    if ($Principals.ContainsKey('unreadable')) { return $Principals }
    $broad = @(Get-BroadSid -Domain $Domain)
    $known = @(if ($Principals.ContainsKey('value')) { $Principals.value })
    $query = -join @(foreach ($one in $known) {
        $sids = @(foreach ($sid in Get-EntryOctet -Entry $one -Name 'objectSid') {
            ConvertTo-HexText -Bytes ([System.Convert]::FromBase64String($sid))
        })
        if (@($sids | Where-Object -FilterScript { $broad -contains $_ }).Count -eq 0) { continue }
        "(member:1.2.840.113556.1.4.1941:=$(ConvertTo-FilterText -Text $one.dn))"
    })
    if ($query -eq '') { return New-UnreadableFact -Why 'Domain Users was not found in this domain' }
    return Get-EntryListFact -Connection $Session.Connection -Base $Session.Base -Of 'Principal' -Filter "(|$query)"
}

function Get-DirectoryEnd {
    <#
    .SYNOPSIS
    Ends the document of the directory: computers, accounts, who stands in descriptors, where everybody stands.
    .PARAMETER Session
    The session with the domain controller.
    .PARAMETER Start
    The document so far.
    .PARAMETER Account
    The names of the accounts.
    .PARAMETER Computer
    The names of the computers.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Session,
        [Parameter(Mandatory = $true)] [hashtable] $Start,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [string[]] $Account,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [string[]] $Computer
    )
    $references = @(if ($Start.partitions.ContainsKey('value')) { $Start.partitions.value })
    $accounts, $computers = @(Get-UniqueName -Names $Account), @(Get-UniqueName -Names $Computer)
    $principals = Get-PrincipalFact -Session $Session -Start $Start
    return @{
        computers           = Get-ComputerFact -Session $Session -Names $computers
        accounts            = Get-AccountList -Session $Session -Partitions $references -Names $accounts
        security_principals = $principals
        broad_groups        = Get-BroadGroupFact -Session $Session -Domain $Start.domain -Principals $principals
    }
}

function Get-AccountList {
    <#
    .SYNOPSIS
    Looks accounts up, each in its own domain of the forest.
    .PARAMETER Session
    The session with the domain controller.
    .PARAMETER Partitions
    The cross-references of the forest.
    .PARAMETER Names
    The names of the accounts.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Session,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Partitions,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [string[]] $Names
    )
    $domains = @(foreach ($one in $Partitions) {
        $flags = [long] @(@(Get-EntryText -Entry $one -Name 'systemFlags') + '0')[0]
        if ($flags -band 2) { $one }
    })
    $forest = @{ Session = $Session; Domains = $domains; Elsewhere = @{} }
    try { $accounts = foreach ($name in $Names) { Get-DirectoryAccount -Name $name -Forest $forest } }
    finally { foreach ($other in $forest.Elsewhere.Values) { $other.Connection.Dispose() } }
    return , (ConvertTo-PlainList -Items @($accounts))
}

function Get-DirectoryPlace {
    <#
    .SYNOPSIS
    Says where to connect: to the domain controller that was named, else to the domain of whoever runs this.
    .PARAMETER Server
    The DNS name of the domain controller, or nothing.
    #>
    param([AllowEmptyString()] [string] $Server = '')
    if ($Server -ne '') { return @{ Server = $Server; Domain = $false } }
    if ([string] $env:USERDNSDOMAIN -eq '') { throw 'this logon is of no domain: give -Server' }
    return @{ Server = $env:USERDNSDOMAIN; Domain = $true }
}

function Get-CollectorSession {
    <#
    .SYNOPSIS
    Connects to the domain controller. Throws a text for a person, with the code of what went wrong.
    .PARAMETER Server
    The DNS name of the domain controller, or nothing.
    .PARAMETER SecureSocketLayer
    Connects by LDAPS.
    #>
    param([AllowEmptyString()] [string] $Server = '', [switch] $SecureSocketLayer)
    $place = Get-DirectoryPlace -Server $Server
    try { return Get-DirectorySession @place -SecureSocketLayer:$SecureSocketLayer }
    catch {
        $cause = Get-DirectoryCause -Exception $_.Exception
        $code = Get-DirectoryErrorCode -Exception $cause
        throw "$($place.Server) could not be read: $($cause.Message) $code".TrimEnd()
    }
}

function Get-DirectoryDocument {
    <#
    .SYNOPSIS
    Reads the directory from one domain controller and returns it as one line of JSON. Changes nothing.
    .PARAMETER Collector
    The name and version of the collector, which the document repeats.
    .PARAMETER Folder
    The folder with the documents of the hosts, which say whose accounts and computers matter.
    .PARAMETER Server
    The DNS name of the domain controller; without it Windows finds one of the domain of whoever runs this.
    .PARAMETER Account
    Further accounts: DOMAIN\NAME, user principal names.
    .PARAMETER Computer
    Further computers by DNS name.
    .PARAMETER SecureSocketLayer
    Connects by LDAPS.
    .EXAMPLE
    Get-DirectoryDocument -Collector 'remediate 0.1.0' -Folder 'C:\facts'
    #>
    [OutputType([string])]
    param(
        [Parameter(Mandatory = $true)] [string] $Collector,
        [Parameter(Mandatory = $true)] [string] $Folder,
        [AllowEmptyString()] [string] $Server = '',
        [AllowEmptyCollection()] [string[]] $Account = @(),
        [AllowEmptyCollection()] [string[]] $Computer = @(),
        [switch] $SecureSocketLayer
    )
    $hosts = @(Read-HostDocument -Folder $Folder)
    if ($hosts.Count + $Account.Count + $Computer.Count -eq 0) {
        Write-Warning -Message "there is no ca-*.json or connector-*.json in $Folder, so no account is looked up"
    }
    $session = Get-CollectorSession -Server $Server -SecureSocketLayer:$SecureSocketLayer
    try {
        $document = Get-DirectoryStart -Session $session -Collector $Collector
        $references = @(if ($document.partitions.ContainsKey('value')) { $document.partitions.value })
        $accounts = @(Get-ConnectorAccountName -Documents $hosts -Partitions $references) + $Account
        $computers = @(Get-HostName -Documents $hosts) + $Computer
        $document += Get-DirectoryEnd -Session $session -Start $document -Account $accounts -Computer $computers
        return ConvertTo-Json -InputObject $document -Compress -Depth 10
    }
    finally { $session.Connection.Dispose() }
}
