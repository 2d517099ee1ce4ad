function New-RollbackStep {
    <#
    .SYNOPSIS
    Makes the steps that undo what a change wrote, newest first, from the values it captured; the restart comes last.
    .PARAMETER Plan
    The script's plan.
    .PARAMETER Change
    The record of the change.
    .PARAMETER Read
    Reads the state of a step: one that was begun and not written needs no undoing.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Plan,
        [Parameter(Mandatory = $true)] [object] $Change,
        [Parameter(Mandatory = $true)] [scriptblock] $Read
    )
    $restarts = $false
    $steps = @($Plan.Steps)
    [array]::Reverse($steps)
    foreach ($step in $steps) {
        $record = Get-EarlierStep -Earlier $Change -Id $step.Id
        if (-not (Test-WrittenStep -Record $record)) { continue }
        if ($step.Kind -eq 'restart_service') {
            $step.LeftBegun = $record.outcome -eq 'begun'
            if ($step.LeftBegun) { $restarts = $true }
            continue
        }
        if ($step.UndoMissing) {
            $text = "$($step.Id). $($step.Label) stays: $($step.UndoMissing)"
            Write-Warning -Message (ConvertTo-PrintableText -Text $text)
            continue
        }
        $captured = Get-CapturedState -Step $step -State $record.before
        $now = if ($record.outcome -eq 'begun') { Read-PlanStep -Step $step -Read $Read } else { @{} }
        if ($record.outcome -eq 'begun' -and (Test-SameState -Now $now -Wanted $captured)) { continue }
        if ($step.Restarts) { $restarts = $true }
        New-UndoingStep -Step $step -Captured $captured -Plan $Plan
    }
    if ($restarts) { $Plan.Steps | Where-Object -FilterScript { $_.Kind -eq 'restart_service' } }
}

function New-UndoingStep {
    <#
    .SYNOPSIS
    Turns a step round: from the wanted values to the captured ones. What needed it must be undone before it.
    .PARAMETER Step
    The step.
    .PARAMETER Captured
    The values that stood there before it was written.
    .PARAMETER Plan
    The script's plan.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Step,
        [Parameter(Mandatory = $true)] [hashtable] $Captured,
        [Parameter(Mandatory = $true)] [hashtable] $Plan
    )
    $undo = $Step.Clone()
    $undo.Label = 'undo: ' + $Step.Label
    $undo.Disruption = ''
    $undo.Before = Get-RaisedState -State $Step.After -Now $Captured
    $undo.After = $Captured
    $undo.DependsOn = @(foreach ($other in $Plan.Steps) {
            if ($other.DependsOn -contains $Step.Id -and $other.Kind -ne 'restart_service') { $other.Id }
        })
    return $undo
}

function Read-EarlierRollback {
    <#
    .SYNOPSIS
    Reads the record of an earlier rollback of the same change, to go on from; nothing when there is none.
    .PARAMETER Plan
    The script's plan; its steps are made ready for undoing.
    .PARAMETER Change
    The record of the change.
    .PARAMETER RollbackPath
    The record of the rollback.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Plan,
        [Parameter(Mandatory = $true)] [object] $Change,
        [Parameter(Mandatory = $true)] [string] $RollbackPath
    )
    foreach ($step in $Plan.Steps) { Update-UndoneStep -Step $step -Undone $null }
    $rollback = Read-RunResult -Path $RollbackPath -Plan $Plan
    if ($null -ne $rollback -and $rollback.undoes -eq $Change.sha256) { return $rollback }
}
