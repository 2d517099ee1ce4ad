function Invoke-PlanVerification {
    <#
    .SYNOPSIS
    Reads every step and records whether it stands as the plan wants it: 0 all of it, 2 the problem stands, 1 unknown.
    .PARAMETER Plan
    The script's plan.
    .PARAMETER Change
    The record of the change, or nothing: it tells of a restart that is owed.
    .PARAMETER Result
    The record of this run.
    .PARAMETER Read
    Reads the state of a step.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Plan,
        [AllowNull()] [object] $Change,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [scriptblock] $Read
    )
    $Result.phase = 'reading'
    foreach ($step in $Plan.Steps) {
        $entry = @{ Step = $step; Now = (Read-PlanStep -Step $step -Read $Read); Written = $false; Earlier = $null }
        $record = New-StepRecord -Entry $entry
        $record.detail = Get-StepShortfall -Step $step -Now $entry.Now -Change $Change
        $record.outcome = if ($record.detail -eq '') { 'as wanted' } else { 'not as wanted' }
        $shown = $record.outcome
        if ($shown -eq 'as wanted' -and $step.Kind -eq 'restart_service' -and $null -eq $Change) {
            $record.outcome, $shown = 'not reached', 'unknown'
            $record.detail = 'it runs; whether it was restarted is told by the result.json of change.ps1 alone'
        }
        $Result.steps += $record
        Write-StepOutcome -Record $record -Outcome $shown
    }
    Complete-PlanVerification -Result $Result
}

function Complete-PlanVerification {
    <#
    .SYNOPSIS
    Decides what a verification found that came to its end, and says so in the record.
    .PARAMETER Result
    The record of the run.
    #>
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result)
    $Result.phase = 'compared'
    $outcomes = @(foreach ($record in $Result.steps) { $record.outcome })
    $Result.exit_code = 0
    $Result.message = 'All of it is as wanted.'
    if ($outcomes -contains 'not as wanted') {
        $Result.exit_code = 2
        $Result.message = 'The problem stands.'
    }
    elseif ($outcomes -contains 'not reached') {
        $Result.exit_code = 1
        $Result.message = 'The values are as wanted. The restart cannot be seen: result.json of change.ps1 is not here.'
    }
    Write-Output -InputObject $Result.message
}

function Get-StepShortfall {
    <#
    .SYNOPSIS
    Says what a step lacks: what stands there in place of what is wanted, or the restart that is owed; else nothing.
    .PARAMETER Step
    The step.
    .PARAMETER Now
    The state that was read.
    .PARAMETER Change
    The record of the change, or nothing.
    #>
    [OutputType([string])]
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Step,
        [Parameter(Mandatory = $true)] [hashtable] $Now,
        [AllowNull()] [object] $Change
    )
    if (-not (Test-PlanStep -Step $Step -Now $Now)) {
        $states = @{ Now = $Now; Wanted = $Step['After']; Account = $Step['Accounts']; Word = @('missing', 'extra') }
        return 'now ' + (@(Format-StateChange @states) -join '; ').Replace(' -> ', ', wanted ')
    }
    if ($Step.Kind -ne 'restart_service' -or $null -eq $Change) { return '' }
    $record = Get-EarlierStep -Earlier $Change -Id $Step.Id
    if ($null -ne $record -and @('changed', 'as wanted') -contains $record.outcome) { return '' }
    return 'change.ps1 has not restarted it yet'
}

function Test-PlanStep {
    <#
    .SYNOPSIS
    Tells whether a step's values stand as the plan wants them; a template's minor revision may have risen since.
    .PARAMETER Step
    The step.
    .PARAMETER Now
    The state that was read.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Step, [Parameter(Mandatory = $true)] [hashtable] $Now)
    $wanted = $Step.After.Clone()
    $wanted.Remove('msPKI-Template-Minor-Revision')
    return Test-SameState -Now $Now -Wanted $wanted
}
