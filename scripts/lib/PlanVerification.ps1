function Invoke-PlanVerification {
    <#
    .SYNOPSIS
    Reads every step and records whether it stands as the plan wants it: 0 all of it, 2 the problem stands.
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
        $entry = @{ Step = $step; Now = (Read-PlanStep -Step $step -Read $Read); Written = $false; Record = $null }
        $record = New-StepRecord -Entry $entry
        $record.detail = Get-StepShortfall -Step $step -Now $entry.Now -Change $Change
        $record.outcome = if ($record.detail -eq '') { 'as wanted' } else { 'not as wanted' }
        $Result.steps.Add($record)
        Write-StepOutcome -Record $record -Outcome $record.outcome
    }
    $missing = @($Result.steps | Where-Object -FilterScript { $_.outcome -ne 'as wanted' })
    $Result.exit_code = if ($missing.Count -gt 0) { 2 } else { 0 }
    $Result.message = if ($missing.Count -gt 0) { 'The problem stands.' } else { 'All of it is as wanted.' }
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
        return 'now ' + (@(Format-StateChange -Now $Now -Wanted $Step.After) -join '; ').Replace(' -> ', ', wanted ')
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
