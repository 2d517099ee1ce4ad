function Get-EarlierStep {
    <#
    .SYNOPSIS
    Finds what an earlier run recorded of a step; nothing when it did not come to it.
    .PARAMETER Earlier
    The record of the earlier run, or nothing.
    .PARAMETER Id
    The number of the step.
    #>
    param([AllowNull()] [object] $Earlier, [Parameter(Mandatory = $true)] [int] $Id)
    if ($null -eq $Earlier) { return }
    foreach ($step in @($Earlier.steps)) { if ($step.id -eq $Id) { return $step } }
}

function Update-UndoneStep {
    <#
    .SYNOPSIS
    Lets a step start from where a rollback left it; only a template's minor revision can differ from the plan then.
    .PARAMETER Step
    The step; changed in place.
    .PARAMETER Undone
    What the rollback recorded of it, or nothing.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Step, [AllowNull()] [object] $Undone)
    $Step.Undone = $null -ne $Undone -and $Undone.outcome -eq 'changed'
    if ($Step.Undone -and $Step.Kind -ne 'restart_service') {
        $Step.Before = ConvertFrom-ResultState -State $Undone.after
    }
}

function New-StepEntry {
    <#
    .SYNOPSIS
    Puts beside a step what stands there now: as approved, as wanted, or drifted.
    .DESCRIPTION
    A step that an earlier run of this plan wrote, or began to, keeps the value which that run found: it can be undone.
    .PARAMETER Step
    The step; its states follow a template's minor revision where earlier runs of this plan have raised it.
    .PARAMETER Now
    The state that was read.
    .PARAMETER Earlier
    The record of the earlier run, or nothing.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Step,
        [Parameter(Mandatory = $true)] [hashtable] $Now,
        [AllowNull()] [object] $Earlier
    )
    $record = if ($Step.Undone) { $null } else { Get-EarlierStep -Earlier $Earlier -Id $Step.Id }
    $written = $null -ne $record -and @('begun', 'changed') -contains $record.outcome
    if ($written) { $Step.Before = ConvertFrom-ResultState -State $record.before }
    $Step.After = Get-RaisedState -State $Step.After -Now $Step.Before
    $verdict = 'drifted'
    if (Test-SameState -Now $Now -Wanted $Step.Before) { $verdict = 'as approved' }
    if (Test-SameState -Now $Now -Wanted $Step.After) { $verdict = 'as wanted' }
    return @{ Step = $Step; Now = $Now; Verdict = $verdict; Written = $written; Record = $record }
}

function Set-RestartVerdict {
    <#
    .SYNOPSIS
    Decides over the restart: owed, unless an earlier run restarted the service after everything it wrote.
    .DESCRIPTION
    A value that is found as wanted never cancels the restart that the plan approved. A service that an earlier run
    stopped and could not start again is started.
    .PARAMETER Entries
    All steps with their verdicts; those that restart a service are changed in place.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Entries)
    foreach ($entry in $Entries) {
        if ($entry.Step.Kind -ne 'restart_service') { continue }
        $outcome = if ($null -ne $entry.Record) { [string] $entry.Record.outcome } else { '' }
        $pending = @($Entries | Where-Object -FilterScript { $_.Step.Restarts -and $_.Verdict -eq 'as approved' })
        if ($entry.Now.State -eq 'Running') {
            $done = $outcome -eq 'changed' -and $pending.Count -eq 0
            $entry.Verdict = if ($done) { 'as wanted' } else { 'as approved' }
        }
        elseif ($outcome -eq 'begun') { $entry.Verdict = 'as approved' }
    }
}

function Write-Drift {
    <#
    .SYNOPSIS
    Tells approved, now and wanted of every step that is no longer as the plan was made for.
    .PARAMETER Entries
    The steps.
    #>
    param([Parameter(Mandatory = $true)] [object[]] $Entries)
    foreach ($entry in $Entries) {
        Write-Warning -Message ('{0}. {1}' -f $entry.Step.Id, $entry.Step.Label)
        foreach ($name in @($entry.Step.After.Keys | Sort-Object)) {
            Write-Warning -Message ('   approved  {0}' -f (Format-State -State @{ $name = $entry.Step.Before[$name] }))
            Write-Warning -Message ('   now       {0}' -f (Format-State -State @{ $name = $entry.Now[$name] }))
            Write-Warning -Message ('   wanted    {0}' -f (Format-State -State @{ $name = $entry.Step.After[$name] }))
        }
    }
}

function Get-RaisedState {
    <#
    .SYNOPSIS
    Copies a state; a template's minor revision becomes one more than it is now, because it only ever rises.
    .PARAMETER State
    The state to be written.
    .PARAMETER Now
    The state that stands.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $State, [Parameter(Mandatory = $true)] [hashtable] $Now)
    $copy = $State.Clone()
    $revision = 'msPKI-Template-Minor-Revision'
    if ($copy.ContainsKey($revision)) { $copy[$revision] = [string] ([long] $Now[$revision] + 1) }
    return $copy
}

function New-StepRecord {
    <#
    .SYNOPSIS
    Begins the record of a step: not reached yet, or what an earlier run of this plan recorded of it.
    .PARAMETER Entry
    The step with what stands there now.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Entry)
    $step, $record = $Entry.Step, $Entry.Record
    return [ordered]@{
        id       = $step.Id
        kind     = $step.Kind
        label    = $step.Label
        outcome  = if ($Entry.Written) { [string] $record.outcome } else { 'not reached' }
        before   = if ($Entry.Written) { $step.Before } else { $Entry.Now }
        after    = $Entry.Now
        started  = if ($Entry.Written) { [string] $record.started } else { '' }
        finished = if ($Entry.Written) { [string] $record.finished } else { '' }
        detail   = if ($Entry.Written) { [string] $record.detail } else { '' }
    }
}
