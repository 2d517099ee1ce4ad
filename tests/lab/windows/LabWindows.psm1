<#
.SYNOPSIS
The Windows-only commands of a lab host, answered from the JSON document that LAB_STATE names.

.DESCRIPTION
Strict: what is asked for in a way that is not known here is an error, never an empty answer.
Members of the document: services, events (LogName, ProviderName, Id, TimeCreated, Properties; newest first),
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
    param([Parameter(Mandatory = $true)] [hashtable] $FilterHashtable)
    $keys = @($FilterHashtable.Keys | Where-Object { 'LogName', 'ProviderName', 'Id', 'StartTime' -notcontains $_ })
    if ($keys.Count -gt 0) { throw "the filter key '$($keys[0])' is not known" }
    $found = foreach ($one in (Read-State -Member 'events')) { if (Test-Event $one $FilterHashtable) { ConvertTo-Event $one } }
    if (@($found).Count -eq 0) {
        $identity = 'NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand'
        $text = 'No events were found that match the specified selection criteria.'
        $PSCmdlet.WriteError((New-StandInError $text $identity ObjectNotFound $null))
        return
    }
    $found | Sort-Object -Property TimeCreated -Descending
}

function Test-Event {
    param([System.Collections.IDictionary] $Entry, [hashtable] $Filter)
    foreach ($key in 'LogName', 'ProviderName', 'Id') {
        if ($Filter.ContainsKey($key) -and $Entry[$key] -ne $Filter[$key]) { return $false }
    }
    $time = ConvertTo-Time $Entry.TimeCreated
    return -not ($Filter.ContainsKey('StartTime') -and $time -lt $Filter.StartTime)
}

function ConvertTo-Time {
    param([string] $Text)
    return [datetimeoffset]::Parse($Text, [cultureinfo]::InvariantCulture).LocalDateTime
}

function ConvertTo-Event {
    param([System.Collections.IDictionary] $Entry)
    $properties = @(foreach ($value in $Entry.Properties) { [pscustomobject] @{ Value = $value } })
    return New-Row @{
        LogName = $Entry.LogName; ProviderName = $Entry.ProviderName; Id = $Entry.Id
        TimeCreated = (ConvertTo-Time $Entry.TimeCreated); Properties = $properties
    } 'System.Diagnostics.Eventing.Reader.EventLogRecord'
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
