<#
.SYNOPSIS
The Windows-only commands of a lab host, answered from the JSON document that LAB_STATE names.

.DESCRIPTION
Strict: what is asked for in a way that is not known here is an error, never an empty answer.
Members of the document: services, events (LogName, ProviderName, Id, TimeCreated; Properties or Data by name; Level,
RecordId, Computer, MessageError where wanted), event_logs (by name; without it every log is there),
mp_preference, mp_status, policy_servers (Url, Scope), computer (name, domain, part_of_domain, version).
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module -Name (Join-Path -Path $PSScriptRoot -ChildPath 'LabChanges.psm1') -DisableNameChecking

function Read-State {
    param([Parameter(Mandatory = $true)] [string] $Member)
    $state = [System.IO.File]::ReadAllText($env:LAB_STATE) | ConvertFrom-Json -AsHashtable -DateKind String
    if (-not $state.ContainsKey($Member)) { throw "the lab host has no '$Member' in its state" }
    return , $state[$Member]
}

function New-Row {
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Members, [string] $TypeName)
    $row = [pscustomobject] $Members
    if ($TypeName) { $row.PSObject.TypeNames.Insert(0, $TypeName) }
    return $row
}

function New-StandInError {
    param([string] $Message, [string] $Id, [System.Management.Automation.ErrorCategory] $Category, [object] $Target)
    return [System.Management.Automation.ErrorRecord]::new([System.Exception]::new($Message), $Id, $Category, $Target)
}

function Get-Service {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string[]] $Name)
    $services = Read-State -Member 'services'
    foreach ($one in $Name) {
        $known = @($services.Keys | Where-Object { $_ -eq $one })
        if ($known.Count -eq 0) {
            $identity = 'NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand'
            $PSCmdlet.WriteError((New-StandInError "Cannot find any service with service name '$one'." $identity ObjectNotFound $one))
            continue
        }
        $row = New-Row @{ Name = $known[0]; Status = $services[$known[0]].State } 'System.ServiceProcess.ServiceController'
        # .NET Framework opens the service with SERVICE_ALL_ACCESS for this property.
        $row | Add-Member -MemberType ScriptProperty -Name 'ServiceHandle' -PassThru -Value {
            if ((Get-Failure 'ServiceHandle' @('access denied')) -eq '') { return [System.IO.MemoryStream]::new() }
            throw [System.InvalidOperationException]::new(
                "Cannot open $($this.Name) service on computer '.'.", [System.ComponentModel.Win32Exception]::new(5))
        }
    }
}

function Get-CimInstance {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $ClassName, [string] $Filter)
    switch ($ClassName) {
        'Win32_Service' { return Get-LabService -Filter $Filter }
        'Win32_ComputerSystem' {
            if ($Filter) { throw "no filter is known for $ClassName" }
            $computer = Read-State -Member 'computer'
            return New-Row @{
                Name = $computer.name; DNSHostName = $computer.name; Domain = $computer.domain
                PartOfDomain = $computer.part_of_domain
            } 'Microsoft.Management.Infrastructure.CimInstance#root/cimv2/Win32_ComputerSystem'
        }
        'Win32_OperatingSystem' {
            if ($Filter) { throw "no filter is known for $ClassName" }
            $computer = Read-State -Member 'computer'
            $version = if ($computer.ContainsKey('version')) { $computer.version } else { '10.0.17763' }
            return New-Row @{ Version = $version } 'Microsoft.Management.Infrastructure.CimInstance#root/cimv2/Win32_OperatingSystem'
        }
        default { throw "the lab has no class $ClassName" }
    }
}

function Get-LabService {
    param([string] $Filter)
    $services = Read-State -Member 'services'
    $wanted = @(foreach ($condition in ($Filter -split ' OR ')) {
            if ($condition -notmatch "^Name='([^'%]+)'$") { throw "the filter '$Filter' is not known" }
            $Matches[1]
        })
    foreach ($name in @($services.Keys | Where-Object { $wanted -contains $_ } | Sort-Object)) {
        $service = $services[$name]
        New-Row @{
            Name = $name; State = $service.State; StartMode = $service.StartMode
            StartName = $service.StartName; PathName = $service.PathName
        } 'Microsoft.Management.Infrastructure.CimInstance#root/cimv2/Win32_Service'
    }
}

function Get-WinEvent {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ParameterSetName = 'Filter')] [hashtable] $FilterHashtable,
        [Parameter(Mandatory = $true, ParameterSetName = 'List')] [string] $ListLog,
        [Parameter(Mandatory = $true, ParameterSetName = 'Log')] [string] $LogName,
        [Parameter(ParameterSetName = 'Log')] [int] $MaxEvents = -1,
        [Parameter(ParameterSetName = 'Log')] [switch] $Oldest
    )
    if ($ListLog) { return Get-LabLog -Name $ListLog -Caller $PSCmdlet }
    if (-not $FilterHashtable) { $FilterHashtable = @{ LogName = $LogName } }
    if (-not (Test-Filter -Filter $FilterHashtable -Caller $PSCmdlet)) { return }
    $found = @(foreach ($one in (Read-State -Member 'events')) { if (Test-Event $one $FilterHashtable) { $one } })
    $denied = (Get-LabLogState -Name $FilterHashtable.LogName).denied
    if ($found.Count -eq 0 -or $denied) {
        # Errors of a query are tolerated: whoever may not read a log is told that nothing in it matches.
        $identity = 'NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand'
        $text = 'No events were found that match the specified selection criteria.'
        $PSCmdlet.WriteError((New-StandInError $text $identity ObjectNotFound $null))
        return
    }
    $sorted = @($found | Sort-Object -Stable -Property { ConvertTo-Time $_.TimeCreated } -Descending:(-not $Oldest))
    if ($MaxEvents -ge 0) { $sorted = @($sorted | Select-Object -First $MaxEvents) }
    foreach ($one in $sorted) {
        # A message that cannot be put together is an error whose identity is its text; the event comes all the same.
        if ($one.Contains('MessageError')) { $PSCmdlet.WriteError((New-StandInError $one.MessageError $one.MessageError NotSpecified $null)) }
        ConvertTo-Event $one
    }
}

function Get-LabLogState {
    # enabled, providers (any where none are named), denied, first (the number of the oldest record).
    param([string] $Name)
    $plain = @{ enabled = $true; providers = @(); denied = $false; first = 1 }
    $state = [System.IO.File]::ReadAllText($env:LAB_STATE) | ConvertFrom-Json -AsHashtable -DateKind String
    if (-not $state.ContainsKey('event_logs')) { return $plain }
    if (-not $state.event_logs.ContainsKey($Name)) { return }
    foreach ($key in $state.event_logs[$Name].Keys) {
        if (-not $plain.ContainsKey($key)) { throw "an event log has no '$key'" }
        $plain[$key] = $state.event_logs[$Name][$key]
    }
    return $plain
}

function Get-LabLog {
    param([string] $Name, [System.Management.Automation.PSCmdlet] $Caller)
    $null = Read-State -Member 'event_logs'
    $log = Get-LabLogState -Name $Name
    if ($null -ne $log -and $log.denied) {
        $cause = [System.UnauthorizedAccessException]::new('Attempted to perform an unauthorized operation.')
        $error_ = [System.Exception]::new("Could not retrieve information about the $Name log. Error: $($cause.Message)", $cause)
        $Caller.WriteError([System.Management.Automation.ErrorRecord]::new(
                $error_, 'LogInfoUnavailable,Microsoft.PowerShell.Commands.GetWinEventCommand', 'NotSpecified', $null))
    }
    if ($null -eq $log -or $log.denied) {
        $identity = 'NoMatchingLogsFound,Microsoft.PowerShell.Commands.GetWinEventCommand'
        $Caller.WriteError((New-StandInError "There is no '$Name' log on this computer." $identity ObjectNotFound $null))
        return
    }
    $count = @((Read-State -Member 'events') | Where-Object { $_.LogName -eq $Name }).Count
    New-Row @{ LogName = $Name; IsEnabled = $log.enabled; RecordCount = [long] $count; OldestRecordNumber = [long] $log.first } `
        'System.Diagnostics.Eventing.Reader.EventLogConfiguration'
}

function Test-Filter {
    param([hashtable] $Filter, [System.Management.Automation.PSCmdlet] $Caller)
    $keys = @($Filter.Keys | Where-Object { 'LogName', 'ProviderName', 'Id', 'Level', 'StartTime' -notcontains $_ })
    if ($keys.Count -gt 0) { throw "the filter key '$($keys[0])' is not known" }
    if ($Filter.ContainsKey('Id') -and @($Filter.Id).Count -gt 20) { throw 'of a filter of so many IDs Windows says that nothing matches' }
    $log = Get-LabLogState -Name $Filter.LogName
    if ($null -eq $log) {
        $identity = 'NoMatchingLogsFound,Microsoft.PowerShell.Commands.GetWinEventCommand'
        $Caller.WriteError((New-StandInError "There is no '$($Filter.LogName)' log." $identity ObjectNotFound $null))
        return $false
    }
    if ($Filter.ContainsKey('ProviderName') -and $log.providers.Count -gt 0 -and $log.providers -notcontains $Filter.ProviderName) {
        $identity = 'NoMatchingProvidersFound,Microsoft.PowerShell.Commands.GetWinEventCommand'
        $Caller.WriteError((New-StandInError "There is no provider '$($Filter.ProviderName)'." $identity ObjectNotFound $null))
        return $false
    }
    return $true
}

function Test-Event {
    param([System.Collections.IDictionary] $Entry, [hashtable] $Filter)
    foreach ($key in 'LogName', 'ProviderName') {
        if ($Filter.ContainsKey($key) -and $Entry[$key] -ne $Filter[$key]) { return $false }
    }
    if ($Filter.ContainsKey('Id') -and @($Filter.Id) -notcontains $Entry.Id) { return $false }
    $level = if ($Entry.Contains('Level')) { $Entry.Level } else { 4 }
    if ($Filter.ContainsKey('Level') -and @($Filter.Level) -notcontains $level) { return $false }
    $time = ConvertTo-Time $Entry.TimeCreated
    return -not ($Filter.ContainsKey('StartTime') -and $time -lt $Filter.StartTime)
}

function ConvertTo-Time {
    param([string] $Text)
    return [datetimeoffset]::Parse($Text, [cultureinfo]::InvariantCulture).LocalDateTime
}

function ConvertTo-Event {
    param([System.Collections.IDictionary] $Entry)
    $values = if ($Entry.Contains('Data')) { $Entry.Data.Values } else { $Entry.Properties }
    $properties = @(foreach ($value in $values) { [pscustomobject] @{ Value = $value } })
    $row = New-Row @{
        LogName = $Entry.LogName; ProviderName = $Entry.ProviderName; Id = $Entry.Id
        TimeCreated = (ConvertTo-Time $Entry.TimeCreated); Properties = $properties
    } 'System.Diagnostics.Eventing.Reader.EventLogRecord'
    $xml = ConvertTo-EventXml $Entry
    $row | Add-Member -MemberType ScriptMethod -Name 'ToXml' -Value { $xml }.GetNewClosure() -PassThru
}

function ConvertTo-EventXml {
    # What EventRecord.ToXml() gives: no rendered text, whatever the language.
    param([System.Collections.IDictionary] $Entry)
    $of = { param([string] $Name, [string] $Otherwise) if ($Entry.Contains($Name)) { [string] $Entry[$Name] } else { $Otherwise } }
    $escape = { param([string] $Text) [System.Security.SecurityElement]::Escape($Text).Replace('&apos;', "'") }
    $time = [datetimeoffset]::Parse($Entry.TimeCreated, [cultureinfo]::InvariantCulture).UtcDateTime
    $data = if ($Entry.Contains('Data')) {
        foreach ($name in $Entry.Data.Keys) { "<Data Name='$name'>$(& $escape $Entry.Data[$name])</Data>" }
    }
    elseif ($Entry.Contains('Properties')) { foreach ($value in $Entry.Properties) { "<Data>$(& $escape $value)</Data>" } }
    return "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>" +
        "<Provider Name='$($Entry.ProviderName)'/><EventID>$($Entry.Id)</EventID><Version>0</Version>" +
        "<Level>$(& $of 'Level' '4')</Level><Task>0</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords>" +
        "<TimeCreated SystemTime='$($time.ToString('yyyy-MM-ddTHH:mm:ss.fffffffZ', [cultureinfo]::InvariantCulture))'/>" +
        "<EventRecordID>$(& $of 'RecordId' '')</EventRecordID><Correlation/><Execution ProcessID='4776' ThreadID='1'/>" +
        "<Channel>$($Entry.LogName)</Channel><Computer>$(& $of 'Computer' $env:COMPUTERNAME)</Computer><Security/>" +
        "</System><EventData>$($data -join '')</EventData></Event>"
}

function Get-MpPreference {
    [CmdletBinding()]
    param()
    return New-Row (Read-State -Member 'mp_preference') 'MSFT_MpPreference'
}

function Get-MpComputerStatus {
    [CmdletBinding()]
    param()
    return New-Row (Read-State -Member 'mp_status') 'MSFT_MpComputerStatus'
}

function Get-CertificateEnrollmentPolicyServer {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('Applied', 'ConfiguredByYou', 'All')] [string] $Scope,
        [Parameter(Mandatory = $true)] [ValidateSet('Machine', 'User')] [string] $Context
    )
    if ($Context -ne 'Machine') { throw 'the lab knows the machine context only' }
    foreach ($server in (Read-State -Member 'policy_servers')) {
        if ($Scope -eq 'All' -or $server.Scope -eq $Scope) { New-Row @{ Url = [uri] $server.Url } }
    }
}

Export-ModuleMember -Function @(
    'Get-Service', 'Get-CimInstance', 'Get-WinEvent', 'Get-MpPreference', 'Get-MpComputerStatus'
    'Get-CertificateEnrollmentPolicyServer'
    'Restart-Service', 'Start-Service', 'Stop-Service', 'Add-MpPreference', 'Remove-MpPreference'
    'Add-CertificateEnrollmentPolicyServer', 'Remove-CertificateEnrollmentPolicyServer'
)
