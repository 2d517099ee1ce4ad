function Get-Machine {
    <#
    .SYNOPSIS
    Reads the identity of this host.
    #>
    $cryptography = 'HKLM:\SOFTWARE\Microsoft\Cryptography'
    return @{
        computer_name      = [string] $env:COMPUTERNAME
        dns_host_name      = Get-DnsHostNameFact
        domain             = Get-DomainFact
        machine_guid       = Get-RegistryFact -Key $cryptography -Name 'MachineGuid' -Kind 'String'
        os_version         = Get-OsVersionFact
        powershell_version = $PSVersionTable.PSVersion.ToString()
    }
}

function Get-DnsHostNameFact {
    <#
    .SYNOPSIS
    Reads the full DNS name of this host; the bare host name in a workgroup.
    #>
    return Get-Fact -Reading {
        $system = Get-CimInstance -ClassName 'Win32_ComputerSystem' -ErrorAction Stop
        $name = [string] $system.DNSHostName
        if ($system.PartOfDomain) { $name = "$name.$($system.Domain)" }
        return New-ValueFact -Value $name.ToLowerInvariant()
    }
}

function Get-DomainFact {
    <#
    .SYNOPSIS
    Reads the DNS name of the domain this host is a member of; absent in a workgroup.
    #>
    return Get-Fact -Reading {
        $system = Get-CimInstance -ClassName 'Win32_ComputerSystem' -ErrorAction Stop
        if (-not $system.PartOfDomain) { return New-AbsentFact }
        return New-ValueFact -Value ([string] $system.Domain).ToLowerInvariant()
    }
}

function Get-OsVersionFact {
    <#
    .SYNOPSIS
    Reads the version of Windows, such as 10.0.17763.
    #>
    return Get-Fact -Reading {
        $system = Get-CimInstance -ClassName 'Win32_OperatingSystem' -ErrorAction Stop
        return New-ValueFact -Value ([string] $system.Version)
    }
}

function Get-ReaderName {
    <#
    .SYNOPSIS
    Says as whom this host is being read, as DOMAIN\user; the empty text when whoami fails.
    #>
    try {
        $answer = Invoke-Program -Program 'whoami.exe'
        if ($answer.Code -eq '0x00000000') { return [string] $answer.Lines[0] }
    }
    catch { return '' }
    return ''
}

function Get-Reading {
    <#
    .SYNOPSIS
    Begins a document: by whom, where, when and as whom it is read, and whether that is an administrator.
    .PARAMETER Role
    The role of this host.
    .PARAMETER Collector
    The name and version of the collector.
    #>
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('ca', 'connector')] [string] $Role,
        [Parameter(Mandatory = $true)] [string] $Collector
    )
    $token = Read-Token
    return @{
        format_version = '1.0'
        role           = $Role
        collector      = $Collector
        read_from      = [string] $env:COMPUTERNAME
        read_at        = Format-UtcTime -Time ([datetime]::UtcNow)
        read_as        = [string] $token.Account
        administrator  = Get-AdministratorFact -Token $token
        machine        = Get-Machine
    }
}

function Get-ServiceFact {
    <#
    .SYNOPSIS
    Reads one Windows service; absent when it is not installed.
    .PARAMETER Name
    Its short name.
    #>
    param([Parameter(Mandatory = $true)] [string] $Name)
    return Get-Fact -Reading {
        $found = @(Get-CimInstance -ClassName 'Win32_Service' -Filter "Name='$Name'" -ErrorAction Stop)
        if ($found.Count -eq 0) { return New-AbsentFact }
        return New-ValueFact -Value (ConvertTo-ServiceRow -Service $found[0])
    }
}

function Get-ServiceListFact {
    <#
    .SYNOPSIS
    Reads those of the named Windows services that are installed.
    .PARAMETER Names
    Their short names.
    #>
    param([Parameter(Mandatory = $true)] [string[]] $Names)
    return Get-Fact -Reading {
        $conditions = foreach ($name in $Names) { "Name='$name'" }
        $found = @(Get-CimInstance -ClassName 'Win32_Service' -Filter ($conditions -join ' OR ') -ErrorAction Stop)
        $rows = foreach ($service in $found) { ConvertTo-ServiceRow -Service $service }
        return New-ListFact -Items @($rows)
    }
}

function ConvertTo-ServiceRow {
    <#
    .SYNOPSIS
    Takes from a Win32_Service what a document holds of it.
    .PARAMETER Service
    The instance.
    #>
    param([Parameter(Mandatory = $true)] [object] $Service)
    return @{
        name       = [string] $Service.Name
        state      = [string] $Service.State
        start_mode = [string] $Service.StartMode
        start_name = [string] $Service.StartName
        path_name  = [string] $Service.PathName
    }
}

function Get-EventFact {
    <#
    .SYNOPSIS
    Counts the events of one ID of one provider; none found is the count 0.
    .PARAMETER LogName
    The log.
    .PARAMETER ProviderName
    The provider.
    .PARAMETER Id
    The event ID.
    .PARAMETER Days
    How far back.
    #>
    param([string] $LogName, [string] $ProviderName, [int] $Id, [int] $Days = 90)
    return Get-Fact -Reading {
        $since = [datetime]::UtcNow.AddDays(-$Days)
        $filter = @{ LogName = $LogName; ProviderName = $ProviderName; Id = $Id; StartTime = $since.ToLocalTime() }
        try { $found = @(Get-WinEvent -FilterHashtable $filter -ErrorAction Stop) }
        catch {
            if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw }
            $found = @()
        }
        return New-ValueFact -Value (ConvertTo-EventRow -Found $found -Since $since)
    }
}

function ConvertTo-EventRow {
    <#
    .SYNOPSIS
    Sums events up: how many, first, last, and the first property of the newest twenty, which is the request ID.
    .PARAMETER Found
    The events, newest first.
    .PARAMETER Since
    From when on they were asked for.
    #>
    param([AllowEmptyCollection()] [object[]] $Found, [datetime] $Since)
    $row = @{ since = (Format-UtcTime -Time $Since); count = $Found.Count; first = ''; last = '' }
    $identities = @()
    if ($Found.Count -gt 0) {
        $row.first = Format-UtcTime -Time $Found[-1].TimeCreated
        $row.last = Format-UtcTime -Time $Found[0].TimeCreated
        $newest = @($Found | Select-Object -First 20)
        $named = @($newest | Where-Object -FilterScript { $_.Properties.Count -gt 0 })
        $identities = @(foreach ($one in $named) { [string] $one.Properties[0].Value })
    }
    $row.request_ids = ConvertTo-PlainList -Items $identities
    return $row
}
