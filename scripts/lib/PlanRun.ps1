function Invoke-PlanRun {
    <#
    .SYNOPSIS
    Reads every step, refuses drift as a whole, asks for each change, carries it out, and records all of it.
    .PARAMETER Steps
    The steps in the order in which they are written.
    .PARAMETER Earlier
    The record of an earlier run of the same steps, or nothing.
    .PARAMETER Result
    The record of this run.
    .PARAMETER Path
    The record's file.
    .PARAMETER Read
    Reads the state of a step.
    .PARAMETER Check
    Throws when the right to write a step is missing.
    .PARAMETER Write
    Writes a step: takes the step and the state that stands; may return a remark.
    .PARAMETER Cmdlet
    The script's own $PSCmdlet, which asks.
    #>
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Steps,
        [AllowNull()] [object] $Earlier,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [scriptblock] $Read,
        [Parameter(Mandatory = $true)] [scriptblock] $Check,
        [Parameter(Mandatory = $true)] [scriptblock] $Write,
        [Parameter(Mandatory = $true)] [System.Management.Automation.PSCmdlet] $Cmdlet
    )
    $Result.phase = 'reading'
    $entries = @(foreach ($step in $Steps) { New-StepEntry -Step $step -Now (& $Read $step) -Earlier $Earlier })
    Set-RestartVerdict -Entries $entries
    $Result.phase = 'comparing'
    Confirm-NoDrift -Entries $entries
    foreach ($entry in $entries) { if ($entry.Verdict -eq 'as approved') { & $Check $entry.Step } }
    foreach ($entry in $entries) { $Result.steps.Add((New-StepRecord -Entry $entry)) }
    if (-not $WhatIfPreference) { Save-RunResult -Result $Result -Path $Path }
    foreach ($entry in $entries) {
        Invoke-PlanStep -Entry $entry -Result $Result -Path $Path -Read $Read -Write $Write -Cmdlet $Cmdlet
    }
    Complete-PlanRun -Result $Result -Entries $entries
}

function Confirm-NoDrift {
    <#
    .SYNOPSIS
    Throws when one value is neither as approved nor as wanted, and tells approved, now and wanted of each such.
    .PARAMETER Entries
    All steps with what stands there now.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Entries)
    $drifted = @($Entries | Where-Object -FilterScript { $_.Verdict -eq 'drifted' })
    if ($drifted.Count -eq 0) { return }
    Write-Drift -Entries $drifted
    throw 'A value is no longer as approved.'
}

function Invoke-PlanStep {
    <#
    .SYNOPSIS
    Carries out one step: asks, leaves a trace, writes, reads back, and records what it found.
    .PARAMETER Entry
    The step with what stands there now.
    .PARAMETER Result
    The record of the run.
    .PARAMETER Path
    The record's file.
    .PARAMETER Read
    Reads the state of a step.
    .PARAMETER Write
    Writes a step.
    .PARAMETER Cmdlet
    The script's own $PSCmdlet.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Entry,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [scriptblock] $Read,
        [Parameter(Mandatory = $true)] [scriptblock] $Write,
        [Parameter(Mandatory = $true)] [System.Management.Automation.PSCmdlet] $Cmdlet
    )
    $step = $Entry.Step
    $record = @($Result.steps | Where-Object -FilterScript { $_.id -eq $step.Id })[0]
    $record.outcome = Get-StepOutcome -Entry $Entry -Result $Result -Cmdlet $Cmdlet
    if ($record.outcome -ne 'begun') {
        $shown = if ($record.outcome -eq 'changed') { 'done before' } else { $record.outcome }
        if (-not $WhatIfPreference) { Write-Output -InputObject ('{0}. {1}: {2}' -f $step.Id, $shown, $step.Label) }
        return
    }
    $record.started = Format-UtcTime -Time ([datetime]::UtcNow)
    $Result.exit_code = 4
    Save-RunResult -Result $Result -Path $Path
    $Result.phase = 'writing'
    Write-PlanStep -Entry $Entry -Record $record -Read $Read -Write $Write
    Save-RunResult -Result $Result -Path $Path
    Write-Output -InputObject (('{0}. done: {1}  {2}' -f $step.Id, $step.Label, $record.detail).TrimEnd())
}

function Write-PlanStep {
    <#
    .SYNOPSIS
    Writes one step, reads it back, and completes its record; throws when it does not read as it was written.
    .PARAMETER Entry
    The step with what stands there now.
    .PARAMETER Record
    Its record; completed in place.
    .PARAMETER Read
    Reads the state of a step.
    .PARAMETER Write
    Writes a step.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Entry,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Record,
        [Parameter(Mandatory = $true)] [scriptblock] $Read,
        [Parameter(Mandatory = $true)] [scriptblock] $Write
    )
    $step = $Entry.Step
    Write-Verbose -Message ('{0}. {1}' -f $step.Id, $step.Label)
    $Record.detail = (@(& $Write $step $Entry.Now) -join ' ')
    $Record.after = & $Read $step
    if (-not (Test-SameState -Now $Record.after -Wanted $step.After)) {
        throw ('{0}: it was written, but reads {1}.' -f $step.Label, (Format-State -State $Record.after))
    }
    $Record.outcome = 'changed'
    $Record.finished = Format-UtcTime -Time ([datetime]::UtcNow)
}

function Get-StepOutcome {
    <#
    .SYNOPSIS
    Says what happens to a step: begun, as wanted, changed (by an earlier run of this plan), declined, or not reached
    because it needs one that was declined.
    .PARAMETER Entry
    The step with what stands there now.
    .PARAMETER Result
    The record of the run so far.
    .PARAMETER Cmdlet
    The script's own $PSCmdlet, which asks.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Entry,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [System.Management.Automation.PSCmdlet] $Cmdlet
    )
    if ($Entry.Verdict -eq 'as wanted') { if ($Entry.Written) { return 'changed' } else { return 'as wanted' } }
    foreach ($earlier in $Result.steps) {
        $needed = $Entry.Step.DependsOn -contains $earlier.id
        if ($needed -and $earlier.outcome -eq 'declined' -and -not $WhatIfPreference) { return 'declined' }
    }
    if ($Cmdlet.ShouldProcess($Result.target, $Entry.Step.Label)) { return 'begun' }
    return 'declined'
}

function Complete-PlanRun {
    <#
    .SYNOPSIS
    Decides how a run ended that came to its end, and says so in the record.
    .PARAMETER Result
    The record of the run.
    .PARAMETER Entries
    All steps.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Entries
    )
    $outcomes = @(foreach ($record in $Result.steps) { [string] $record.outcome })
    $left = @($outcomes | Where-Object -FilterScript { $_ -eq 'declined' })
    $owed = @($Entries | Where-Object -FilterScript { $_.Verdict -eq 'as approved' })
    if ($WhatIfPreference) {
        $Result.exit_code = if ($owed.Count -gt 0) { 2 } else { 0 }
        $Result.message = 'Nothing was changed.'
    }
    elseif ($left.Count -eq 0) {
        $Result.exit_code = 0
        $Result.message = if ($owed.Count -gt 0) { 'All of it is done.' } else { 'There was nothing to do.' }
    }
    else {
        $Result.exit_code = if ($left.Count -eq $owed.Count) { 3 } else { 4 }
        $Result.message = "$($left.Count) of $($owed.Count) changes were declined."
    }
    Write-Output -InputObject $Result.message
}

function Stop-PlanRun {
    <#
    .SYNOPSIS
    Records why a run ended before its end: refused (3), could not read (1), stopped part-way (4).
    .PARAMETER Result
    The record of the run.
    .PARAMETER Message
    What was thrown.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [string] $Message
    )
    $codes = @{ checking = 3; reading = 1; comparing = 3; writing = 4 }
    $Result.exit_code = $codes[$Result.phase]
    $Result.message = if ($Result.phase -eq 'writing') { $Message } else { "$Message Nothing was changed." }
    foreach ($record in $Result.steps) {
        if ($record.outcome -eq 'begun') { $record.detail = $Message }
    }
    Write-Warning -Message $Result.message
}

function Close-RunResult {
    <#
    .SYNOPSIS
    Writes the record for the last time and says where it is. That of a run that was refused gets a name of its own:
    it must not replace the record of what an earlier run changed.
    .PARAMETER Result
    The record of the run.
    .PARAMETER Path
    The record's file.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [string] $Path
    )
    $Result.finished = Format-UtcTime -Time ([datetime]::UtcNow)
    if ($WhatIfPreference) { return }
    $refused = @('checking', 'reading', 'comparing') -contains $Result.phase -and @(1, 3) -contains $Result.exit_code
    $file = if ($refused) { [System.IO.Path]::ChangeExtension($Path, 'refused.json') } else { $Path }
    try {
        Save-RunResult -Result $Result -Path $file
        Write-Output -InputObject "Send back $file"
    }
    catch {
        Write-Warning -Message "The record could not be written to ${file}: $($_.Exception.Message)"
        if (@(0, 2) -contains $Result.exit_code) { $Result.exit_code = 1 }
    }
}

function Confirm-Answer {
    <#
    .SYNOPSIS
    Throws when every change is to be asked for and nobody is there to answer: no prompt may hang.
    #>
    if ($ConfirmPreference -eq 'None' -or $WhatIfPreference) { return }
    $unattended = @([Environment]::GetCommandLineArgs() | Where-Object -FilterScript { $_ -like '-noni*' }).Count -gt 0
    if ($unattended -or [Console]::IsInputRedirected -or -not [Environment]::UserInteractive) {
        throw 'Every change asks first, and nobody can answer here. Once the plan is approved, give -Confirm:$false.'
    }
}

function Read-EarlierRun {
    <#
    .SYNOPSIS
    Reads what earlier runs of this plan left: the change to go on from, and lets undone steps start where they are.
    .DESCRIPTION
    The record of a change that was undone is kept under a name of its own before a new run replaces it.
    .PARAMETER Plan
    The script's plan; its steps are changed in place.
    .PARAMETER ResultPath
    The record of the change.
    .PARAMETER RollbackPath
    The record of its rollback.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Plan,
        [Parameter(Mandatory = $true)] [string] $ResultPath,
        [Parameter(Mandatory = $true)] [string] $RollbackPath
    )
    $earlier = Read-RunResult -Path $ResultPath -Plan $Plan
    $rollback = Read-RunResult -Path $RollbackPath -Plan $Plan
    if ($null -ne $rollback -and ($null -eq $earlier -or $rollback.undoes -ne $earlier.sha256)) { $rollback = $null }
    foreach ($step in $Plan.Steps) {
        Update-UndoneStep -Step $step -Undone (Get-EarlierStep -Earlier $rollback -Id $step.Id)
    }
    if ($null -ne $rollback -and -not $WhatIfPreference) {
        foreach ($path in @($ResultPath, $RollbackPath)) {
            $kept = [System.IO.Path]::ChangeExtension($path, "$($earlier.sha256.Substring(0, 8)).json")
            [System.IO.File]::Copy($path, $kept, $true)
        }
    }
    return $earlier
}

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
        if ($null -eq $record -or @('begun', 'changed') -notcontains $record.outcome) { continue }
        if ($step.Kind -eq 'restart_service') { continue }
        if ($step.UndoMissing) { Write-Warning -Message "$($step.Label): $($step.UndoMissing)"; continue }
        $captured = ConvertFrom-ResultState -State $record.before
        if ($record.outcome -eq 'begun' -and (Test-SameState -Now (& $Read $step) -Wanted $captured)) { continue }
        $undo = $step.Clone()
        $undo.Label = 'undo: ' + $step.Label
        $undo.Undone = $false
        $undo.Before = Get-RaisedState -State $step.After -Now $captured
        $undo.After = $captured
        if ($step.Restarts) { $restarts = $true }
        $undo
    }
    if (-not $restarts) { return }
    foreach ($step in $Plan.Steps) { if ($step.Kind -eq 'restart_service') { $step.Undone = $false; $step } }
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

function Read-EarlierRollback {
    <#
    .SYNOPSIS
    Reads the record of a rollback of the same change that did not come to its end; nothing when there is none.
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
        $entry = @{ Step = $step; Now = (& $Read $step); Written = $false; Record = $null }
        $earlier = Get-EarlierStep -Earlier $Change -Id $step.Id
        $owed = $step.Kind -eq 'restart_service' -and $null -ne $Change -and
            ($null -eq $earlier -or @('changed', 'as wanted') -notcontains $earlier.outcome)
        $done = -not $owed -and (Test-PlanStep -Step $step -Now $entry.Now)
        $outcome = if ($done) { 'as wanted' } else { 'not as wanted' }
        $record = New-StepRecord -Entry $entry
        $record.outcome = $outcome
        $Result.steps.Add($record)
        Write-Output -InputObject ('{0}. {1}: {2}' -f $step.Id, $outcome, $step.Label)
    }
    $missing = @($Result.steps | Where-Object -FilterScript { $_.outcome -ne 'as wanted' })
    $Result.exit_code = if ($missing.Count -gt 0) { 2 } else { 0 }
    $Result.message = if ($missing.Count -gt 0) { 'The problem stands.' } else { 'All of it is as wanted.' }
    Write-Output -InputObject $Result.message
}
