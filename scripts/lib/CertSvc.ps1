function Get-CertSvcState {
    <#
    .SYNOPSIS
    Reads the state of the CA's service: Running, Stopped, Start Pending and so on, never translated; absent without it.
    .EXAMPLE
    Get-CertSvcState
    #>
    [OutputType([hashtable])]
    param()
    $found = @(Get-CimInstance -ClassName 'Win32_Service' -Filter "Name='CertSvc'" -ErrorAction Stop)
    if ($found.Count -eq 0) { return @{ State = $null } }
    return @{ State = [string] $found[0].State }
}

function Test-CertSvc {
    <#
    .SYNOPSIS
    Says whether the CA's service is in the wanted state.
    .PARAMETER Wanted
    The wanted state, such as @{ State = 'Running' }.
    #>
    [OutputType([bool])]
    param([Parameter(Mandatory = $true)] [hashtable] $Wanted)
    return Test-SameState -Now (Get-CertSvcState) -Wanted $Wanted
}

function Restart-CertSvc {
    <#
    .SYNOPSIS
    Restarts the CA's service once and waits until it runs and answers. Meanwhile no certificates are issued.
    .DESCRIPTION
    A service that does not run is not started; this throws instead. Services that depend on CertSvc are not stopped:
    where there are any, Windows refuses. Returns the State, the Seconds it took, and the Answer that showed that the CA
    is back: certutil -ping, or only its start event, where this logon is refused RPC.
    .PARAMETER TimeoutSeconds
    How long the service may take until it answers, once Restart-Service has come back.
    .EXAMPLE
    Restart-CertSvc -TimeoutSeconds 120 -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param([ValidateRange(1, 3600)] [int] $TimeoutSeconds = 120)
    $ErrorActionPreference = 'Stop'
    $now = Get-CertSvcState
    if ($now.State -cne 'Running') {
        $message = "CertSvc is not restarted: $(Format-State -State $now), and a stopped service is left as it is."
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
    if (-not $PSCmdlet.ShouldProcess('CertSvc', 'Restart-Service; no certificates are issued meanwhile')) { return }
    $begun = [datetime]::UtcNow
    try { Restart-Service -Name 'CertSvc' -Confirm:$false -WarningAction SilentlyContinue -ErrorAction Stop }
    catch { throw (New-ServiceError -What 'Restart-Service CertSvc' -Exception $_.Exception) }
    return Wait-CertSvcAnswer -Begun $begun -TimeoutSeconds $TimeoutSeconds
}

function Start-CertSvc {
    <#
    .SYNOPSIS
    Starts the CA's service and waits until it runs and answers. One that runs already is left as it is.
    .DESCRIPTION
    Returns what Restart-CertSvc returns; of a service that ran already the seconds are 0 and nothing is asked.
    .PARAMETER TimeoutSeconds
    How long the service may take until it answers, once Start-Service has come back.
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param([ValidateRange(1, 3600)] [int] $TimeoutSeconds = 120)
    $ErrorActionPreference = 'Stop'
    if (Test-CertSvc -Wanted @{ State = 'Running' }) {
        Write-Verbose -Message 'CertSvc: already running'
        return @{ State = 'Running'; Seconds = 0.0; Answer = '' }
    }
    if (-not $PSCmdlet.ShouldProcess('CertSvc', 'Start-Service')) { return }
    $begun = [datetime]::UtcNow
    try { Start-Service -Name 'CertSvc' -Confirm:$false -WarningAction SilentlyContinue -ErrorAction Stop }
    catch { throw (New-ServiceError -What 'Start-Service CertSvc' -Exception $_.Exception) }
    return Wait-CertSvcAnswer -Begun $begun -TimeoutSeconds $TimeoutSeconds
}

function Stop-CertSvc {
    <#
    .SYNOPSIS
    Stops the CA's service and waits until it stands still. One that is stopped already is left as it is.
    .DESCRIPTION
    This is the way back from Start-CertSvc. Services that depend on CertSvc are not stopped with it.
    .PARAMETER TimeoutSeconds
    How long the service may take to stop.
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param([ValidateRange(1, 3600)] [int] $TimeoutSeconds = 120)
    $ErrorActionPreference = 'Stop'
    if (Test-CertSvc -Wanted @{ State = 'Stopped' }) {
        Write-Verbose -Message 'CertSvc: already stopped'
        return @{ State = 'Stopped'; Seconds = 0.0; Answer = '' }
    }
    if (-not $PSCmdlet.ShouldProcess('CertSvc', 'Stop-Service; no certificates are issued from then on')) { return }
    $begun = [datetime]::UtcNow
    try { Stop-Service -Name 'CertSvc' -Confirm:$false -WarningAction SilentlyContinue -ErrorAction Stop }
    catch { throw (New-ServiceError -What 'Stop-Service CertSvc' -Exception $_.Exception) }
    Wait-CertSvcState -State 'Stopped' -Deadline $begun.AddSeconds($TimeoutSeconds)
    return @{ State = 'Stopped'; Seconds = (Get-SecondsSince -Begun $begun); Answer = '' }
}

function New-ServiceError {
    <#
    .SYNOPSIS
    Makes the error of a service command that failed, with the state in which the service is left.
    .PARAMETER What
    The command.
    .PARAMETER Exception
    What it threw.
    #>
    param([Parameter(Mandatory = $true)] [string] $What, [Parameter(Mandatory = $true)] [System.Exception] $Exception)
    try { $left = Format-State -State (Get-CertSvcState) }
    catch { $left = 'its state cannot be read' }
    $message = "$What failed; now $left. $($Exception.Message)"
    return New-StateError -Id 'RemediateFailed' -Message $message
}

function Get-SecondsSince {
    <#
    .SYNOPSIS
    Counts the seconds since a time, to a tenth.
    .PARAMETER Begun
    The time, UTC.
    #>
    [OutputType([double])]
    param([Parameter(Mandatory = $true)] [datetime] $Begun)
    return [System.Math]::Round(([datetime]::UtcNow - $Begun).TotalSeconds, 1)
}

function Wait-CertSvcState {
    <#
    .SYNOPSIS
    Waits until the CA's service is in a state; throws when it is not by then.
    .PARAMETER State
    The state.
    .PARAMETER Deadline
    Until when, UTC.
    #>
    param([Parameter(Mandatory = $true)] [string] $State, [Parameter(Mandatory = $true)] [datetime] $Deadline)
    while ($true) {
        $now = Get-CertSvcState
        if ($now.State -ceq $State) { return }
        if ([datetime]::UtcNow -ge $Deadline) { break }
        Start-Sleep -Milliseconds 500
    }
    $message = "CertSvc did not come to State = $State in time; now $(Format-State -State $now)."
    throw (New-StateError -Id 'RemediateFailed' -Message $message)
}

function Wait-CertSvcAnswer {
    <#
    .SYNOPSIS
    Waits until the CA's service runs and answers certutil -ping, or has written its start event where it may not be
    asked.
    .DESCRIPTION
    A logon over the network is refused RPC with 0x800704DC, ERROR_NOT_AUTHENTICATED. Then event 26 of the CA in the
    Application log, written since the start, stands for the answer, and a warning says so.
    .PARAMETER Begun
    When the start was asked for, UTC.
    .PARAMETER TimeoutSeconds
    How long to wait from now on.
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [datetime] $Begun, [Parameter(Mandatory = $true)] [int] $TimeoutSeconds)
    $deadline = [datetime]::UtcNow.AddSeconds($TimeoutSeconds)
    Wait-CertSvcState -State 'Running' -Deadline $deadline
    while ($true) {
        $code = (Invoke-Program -Program 'certutil.exe' -Arguments @('-ping')).Code
        Write-VerboseText -Text "CertSvc runs; certutil -ping ended with $code"
        if ($code -eq '0x00000000') { $answer = 'certutil -ping'; break }
        if ($code -eq '0x800704DC' -and (Test-CertSvcStartEvent -Since $Begun)) {
            Write-Warning -Message 'certutil -ping is refused to this logon (0x800704DC); start event 26 was found.'
            $answer = 'only by its start event (0x800704DC)'
            break
        }
        if ([datetime]::UtcNow -ge $deadline) {
            $message = "CertSvc runs, but did not answer in $TimeoutSeconds seconds: certutil -ping ended with $code."
            throw (New-StateError -Id 'RemediateNoAnswer' -Message $message)
        }
        Start-Sleep -Seconds 1
    }
    return @{ State = 'Running'; Seconds = (Get-SecondsSince -Begun $Begun); Answer = $answer }
}

function Test-CertSvcStartEvent {
    <#
    .SYNOPSIS
    Says whether the CA has written the event of its start, ID 26, since a time.
    .PARAMETER Since
    The time, UTC.
    #>
    [OutputType([bool])]
    param([Parameter(Mandatory = $true)] [datetime] $Since)
    $filter = @{
        LogName = 'Application'; ProviderName = 'Microsoft-Windows-CertificationAuthority'; Id = 26
        StartTime = $Since.ToLocalTime()
    }
    try { return @(Get-WinEvent -FilterHashtable $filter -ErrorAction Stop).Count -gt 0 }
    catch {
        if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw }
        return $false
    }
}
