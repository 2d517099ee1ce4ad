<#
.SYNOPSIS
The Windows-only commands of a lab host that change it: services, Defender, enrollment policy servers.

.DESCRIPTION
As strict as the commands that read. The member `failures` of the state document plants what goes wrong, by command:
Restart-Service, Start-Service, Stop-Service: access denied | stays stopped | start pending | no start event
Add-MpPreference, Remove-MpPreference: access denied | ignored (Group Policy rules)
Add-, Remove-CertificateEnrollmentPolicyServer: access denied | unreachable | ignored
ServiceHandle (the property of Get-Service): access denied
An unknown failure is an error. Errors are worded as the commands word them where that is public.
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$Registry = 'HKLM:\SOFTWARE\Microsoft\Cryptography\PolicyServers'

function Update-State {
    param([Parameter(Mandatory = $true)] [scriptblock] $Change)
    $lock = Lock-File -Path "$env:LAB_STATE.lock"
    try {
        $state = [System.IO.File]::ReadAllText($env:LAB_STATE) | ConvertFrom-Json -AsHashtable -DateKind String
        $null = & $Change $state
        $draft = "$env:LAB_STATE.$PID"
        [System.IO.File]::WriteAllText($draft, (ConvertTo-Json -InputObject $state -Depth 20))
        [System.IO.File]::Move($draft, $env:LAB_STATE, $true)
    }
    finally { $lock.Dispose() }
}

function Lock-File {
    # The lock that Python takes with flock: .NET takes the same for a file that is not shared.
    param([string] $Path)
    for ($attempt = 0; $attempt -lt 500; $attempt++) {
        try { return [System.IO.File]::Open($Path, 'OpenOrCreate', 'ReadWrite', 'None') }
        catch [System.IO.IOException] { [System.Threading.Thread]::Sleep(10) }
    }
    throw "$Path is locked"
}

function Get-Failure {
    param([string] $Command, [string[]] $Known)
    $state = [System.IO.File]::ReadAllText($env:LAB_STATE) | ConvertFrom-Json -AsHashtable -DateKind String
    if (-not $state.ContainsKey('failures') -or -not $state.failures.ContainsKey($Command)) { return '' }
    $failure = $state.failures[$Command]
    if ($Known -notcontains $failure) { throw "the stand-in for $Command does not know the failure '$failure'" }
    return $failure
}

function New-ChangeError {
    param([string] $Message, [string] $Id, [string] $Category, [object] $Target)
    return [System.Management.Automation.ErrorRecord]::new([System.Exception]::new($Message), $Id, $Category, $Target)
}

# --- services ---------------------------------------------------------------------------------------------------

function Set-LabService {
    # Stops and starts as asked; returns an error record, or nothing.
    param([string] $Name, [string] $Command, [bool] $Stop, [bool] $Start, [bool] $Force)
    $known = 'access denied', 'stays stopped', 'start pending', 'no start event'
    $plan = @{ Failure = (Get-Failure $Command $known); Error = $null; Type = $Command -replace '-', '' }
    Update-State -Change {
        param($state)
        $found = @($state.services.Keys | Where-Object { $_ -eq $Name })
        $plan.Error = Get-ServiceObstacle $state $found $Name $Stop $Force $plan
        if ($plan.Error) { return }
        $service = $state.services[$found[0]]
        if ($Stop -and $service.State -ne 'Stopped') { Stop-LabService $state $found[0] $service }
        if (-not $Start -or $service.State -eq 'Running') { return }
        if ($plan.Failure -eq 'stays stopped') {
            $text = "Failed to start service '$Name ($Name)'."
            $id = "StartServiceFailed,Microsoft.PowerShell.Commands.$($Command -replace '-', '')Command"
            $plan.Error = New-ChangeError $text $id 'OpenError' $Name
            return
        }
        $service.State = if ($plan.Failure -eq 'start pending') { 'Start Pending' } else { 'Running' }
        if ($plan.Failure -eq '') { Add-CaEvent $state $found[0] 26 }
    }
    return $plan.Error
}

function Get-ServiceObstacle {
    param($State, [string[]] $Found, [string] $Name, [bool] $Stop, [bool] $Force, [hashtable] $Plan)
    $class = "Microsoft.PowerShell.Commands.$($Plan.Type)Command"
    if ($Found.Count -eq 0) {
        $text = "Cannot find any service with service name '$Name'."
        return New-ChangeError $text "NoServiceFoundForGivenName,$class" 'ObjectNotFound' $Name
    }
    if ($Plan.Failure -eq 'access denied') {
        $what, $id = if ($Stop) { 'stopped', 'CouldNotStopService' } else { 'started', 'CouldNotStartService' }
        $text = "Service '$Name ($Name)' cannot be $what due to the following error: " +
            "Cannot open $Name service on computer '.'."
        return New-ChangeError $text "$id,$class" 'CloseError' $Name
    }
    $service = $State.services[$Found[0]]
    if (-not $Stop -or $Force -or -not $service.Contains('DependentServices')) { return }
    $running = @($service.DependentServices | Where-Object { $State.services[$_].State -eq 'Running' })
    if ($running.Count -eq 0) { return }
    $text = "Cannot stop service '$Name ($Name)' because it has dependent services. " +
        'It can only be stopped if the Force flag is set.'
    return New-ChangeError $text "ServiceHasDependentServices,$class" 'CloseError' $Name
}

function Stop-LabService {
    param($State, [string] $Name, $Service)
    $Service.State = 'Stopped'
    Add-CaEvent $State $Name 38
}

function Add-CaEvent {
    # 26 the CA was started, 38 it was stopped; of other services nothing is written.
    param($State, [string] $Name, [int] $Id)
    if ($Name -ne 'CertSvc') { return }
    $event = [ordered] @{
        LogName = 'Application'; ProviderName = 'Microsoft-Windows-CertificationAuthority'; Id = $Id
        TimeCreated = [datetime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ss.fffffffZ'); Properties = @('CA')
    }
    $State.events = @($event) + @($State.events)
}

function Restart-Service {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string[]] $Name, [switch] $Force)
    foreach ($one in $Name) {
        if (-not $PSCmdlet.ShouldProcess("$one ($one)")) { continue }
        $record = Set-LabService $one 'Restart-Service' $true $true $Force
        if ($record) { $PSCmdlet.WriteError($record) }
    }
}

function Start-Service {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string[]] $Name)
    foreach ($one in $Name) {
        if (-not $PSCmdlet.ShouldProcess("$one ($one)")) { continue }
        $record = Set-LabService $one 'Start-Service' $false $true $false
        if ($record) { $PSCmdlet.WriteError($record) }
    }
}

function Stop-Service {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string[]] $Name, [switch] $Force)
    foreach ($one in $Name) {
        if (-not $PSCmdlet.ShouldProcess("$one ($one)")) { continue }
        $record = Set-LabService $one 'Stop-Service' $true $false $Force
        if ($record) { $PSCmdlet.WriteError($record) }
    }
}

# --- Defender ---------------------------------------------------------------------------------------------------

function Set-LabExclusion {
    # Returns whether the account may; Defender keeps null where nothing is excluded.
    param([string] $Command, [string[]] $Path, [bool] $Excluded)
    $failure = Get-Failure $Command @('access denied', 'ignored')
    if ($failure -eq 'access denied') { return $false }
    if ($failure -eq 'ignored') { return $true }
    Update-State -Change {
        param($state)
        $kept = @($state.mp_preference.ExclusionPath | Where-Object { $null -ne $_ -and $Path -notcontains $_ })
        if ($Excluded) {
            $there = @($state.mp_preference.ExclusionPath | Where-Object { $null -ne $_ })
            $kept = @($there) + @($Path | Where-Object { $there -notcontains $_ })
        }
        $state.mp_preference.ExclusionPath = $null
        if ($kept.Count -gt 0) { $state.mp_preference.ExclusionPath = [object[]] @($kept) }
    }
    return $true
}

function New-DefenderError {
    param([string] $Command)
    $text = "You don't have enough permissions to perform the requested operation."
    return New-ChangeError $text "HRESULT 0xc0000142,$Command" 'PermissionDenied' 'MSFT_MpPreference'
}

function Add-MpPreference {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string[]] $ExclusionPath, [switch] $Force)
    if (-not $Force) { throw 'Add-MpPreference would ask whether to go on' }
    if (-not (Set-LabExclusion 'Add-MpPreference' $ExclusionPath $true)) {
        $PSCmdlet.WriteError((New-DefenderError 'Add-MpPreference'))
    }
}

function Remove-MpPreference {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string[]] $ExclusionPath, [switch] $Force)
    if (-not $Force) { throw 'Remove-MpPreference would ask whether to go on' }
    if (-not (Set-LabExclusion 'Remove-MpPreference' $ExclusionPath $false)) {
        $PSCmdlet.WriteError((New-DefenderError 'Remove-MpPreference'))
    }
}

# --- enrollment policy servers ----------------------------------------------------------------------------------

function Get-PolicyServerKey {
    # The subkey's name is the SHA-1 of the lower-case address in UTF-16, without its end.
    param([uri] $Url)
    $bytes = [System.Text.Encoding]::Unicode.GetBytes($Url.AbsoluteUri.ToLowerInvariant())
    $hash = [System.Security.Cryptography.SHA1]::HashData($bytes)
    return "$Registry\$([System.Convert]::ToHexString($hash).ToLowerInvariant())"
}

function Assert-PolicyServerChange {
    param([string] $Command)
    switch (Get-Failure $Command @('access denied', 'unreachable', 'ignored')) {
        'access denied' { throw [System.UnauthorizedAccessException]::new('Access is denied. 0x80070005 (WIN32: 5)') }
        'unreachable' { throw [System.Exception]::new('The remote endpoint could not be reached. 0x803d0010') }
        'ignored' { return $false }
        default { return $true }
    }
}

function Add-CertificateEnrollmentPolicyServer {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param(
        [Parameter(Mandatory = $true)] [uri] $Url,
        [Parameter(Mandatory = $true)] [ValidateSet('Machine', 'User')] [string] $Context,
        [switch] $NoClobber
    )
    if ($Context -ne 'Machine') { throw 'the lab knows the machine context only' }
    if (-not $PSCmdlet.ShouldProcess("Policy successfully loaded from $Url using Kerberos credentials.")) { return }
    $key = Get-PolicyServerKey $Url
    if ($NoClobber -and (Test-Path -LiteralPath $key)) { throw "The policy server $Url is configured already." }
    if (Assert-PolicyServerChange 'Add-CertificateEnrollmentPolicyServer') {
        $opened = New-Item -Path $key -Force -WhatIf:$false -Confirm:$false
        $opened.SetValue('URL', $Url.AbsoluteUri, 'String')
        $opened.SetValue('PolicyID', '{7B8C2C0D-4C4F-4A53-9C6C-9D0D1B4F2E11}', 'String')
        $opened.SetValue('FriendlyName', 'Contoso enrollment policy', 'String')
        $opened.SetValue('Flags', 4, 'DWord')
        $opened.SetValue('AuthFlags', 2, 'DWord')
        $opened.SetValue('Cost', 2147483645, 'DWord')
        Update-State -Change {
            param($state)
            $row = [ordered] @{ Url = $Url.AbsoluteUri; Scope = @('Applied', 'ConfiguredByYou') }
            $state.policy_servers = @($state.policy_servers | Where-Object { [uri] $_.Url -ne $Url }) + @($row)
        }
    }
    return [pscustomobject] @{ Url = $Url }
}

function Remove-CertificateEnrollmentPolicyServer {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param(
        [Parameter(Mandatory = $true)] [uri] $Url,
        [Parameter(Mandatory = $true)] [ValidateSet('Machine', 'User')] [string] $Context
    )
    if ($Context -ne 'Machine') { throw 'the lab knows the machine context only' }
    if (-not $PSCmdlet.ShouldProcess("$Url")) { return }
    $key = Get-PolicyServerKey $Url
    if (-not (Test-Path -LiteralPath $key)) { throw "The policy server $Url is not configured." }
    if (-not (Assert-PolicyServerChange 'Remove-CertificateEnrollmentPolicyServer')) { return }
    Remove-Item -LiteralPath $key -Recurse -WhatIf:$false -Confirm:$false
    Update-State -Change {
        param($state)
        $state.policy_servers = @($state.policy_servers | Where-Object { [uri] $_.Url -ne $Url })
    }
}

Export-ModuleMember -Function @(
    'Restart-Service', 'Start-Service', 'Stop-Service', 'Add-MpPreference', 'Remove-MpPreference'
    'Add-CertificateEnrollmentPolicyServer', 'Remove-CertificateEnrollmentPolicyServer', 'Get-Failure'
)
