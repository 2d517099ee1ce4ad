function Read-PlanStep {
    <#
    .SYNOPSIS
    Reads what stands at a step; an error names the step.
    .PARAMETER Step
    The step.
    .PARAMETER Read
    Reads the state of a step.
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [hashtable] $Step, [Parameter(Mandatory = $true)] [scriptblock] $Read)
    if ($VerbosePreference -ne 'SilentlyContinue') {
        $text = 'reading {0}. {1}' -f $Step['Id'], $Step['Label']
        Write-VerboseText -Text $text
    }
    try { return & $Read $Step }
    catch { throw ('{0}. {1}: it cannot be read. {2}' -f $Step.Id, $Step.Label, $_.Exception.Message) }
}

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

function Test-WrittenStep {
    <#
    .SYNOPSIS
    Says whether a run wrote a step, or began to.
    .PARAMETER Record
    What the run recorded of the step, or nothing.
    #>
    [OutputType([bool])]
    param([AllowNull()] [object] $Record)
    return $null -ne $Record -and @('begun', 'changed') -contains $Record.outcome
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
    $Step.LeftBegun = $null -ne $Undone -and $Undone.outcome -eq 'begun'
    if ($Step.Undone -and $Step.Kind -ne 'restart_service') {
        $Step.Before = Get-CapturedState -Step $Step -State $Undone.after
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
    $found = if ($null -ne $Earlier -and -not $Step['Undone']) { Get-EarlierStep -Earlier $Earlier -Id $Step['Id'] }
    $written = $null -ne $found -and (Test-WrittenStep -Record $found)
    if ($written) { $Step['Before'] = Get-CapturedState -Step $Step -State $found.before }
    if ($null -ne $Step['After']['msPKI-Template-Minor-Revision']) {
        $Step['After'] = Get-RaisedState -State $Step['After'] -Now $Step['Before']
    }
    $verdict = 'drifted'
    if (Test-SameState -Now $Now -Wanted $Step['After']) { $verdict = 'as wanted' }
    elseif (Test-SameState -Now $Now -Wanted $Step['Before']) { $verdict = 'as approved' }
    return @{ Step = $Step; Now = $Now; Verdict = $verdict; Written = $written; Earlier = $found }
}

function Set-RestartVerdict {
    <#
    .SYNOPSIS
    Decides over the restart: owed, unless an earlier run restarted the service after everything it wrote.
    .DESCRIPTION
    A value that is found as wanted never cancels the restart that the plan approved. A service that an earlier run
    left half way between stopped and running is started.
    .PARAMETER Entries
    All steps with their verdicts; those of a service are changed in place.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Entries)
    $pending = $false
    foreach ($entry in $Entries) {
        if ($entry['Step']['Restarts'] -and $entry['Verdict'] -eq 'as approved') { $pending = $true }
    }
    foreach ($entry in $Entries) {
        $kind = $entry['Step']['Kind']
        if (@('restart_service', 'start_service') -notcontains $kind) { continue }
        $outcome = if ($null -ne $entry['Earlier']) { [string] $entry['Earlier'].outcome } else { '' }
        if ($entry['Verdict'] -eq 'drifted') {
            if ($outcome -eq 'begun' -or $entry['Step']['LeftBegun']) { $entry['Verdict'] = 'as approved' }
        }
        elseif ($kind -eq 'restart_service') {
            $done = $outcome -eq 'changed' -and -not $pending
            $entry['Verdict'] = if ($done) { 'as wanted' } else { 'as approved' }
        }
    }
}

function Write-StepOutcome {
    <#
    .SYNOPSIS
    Tells in one line what has become of a step.
    .PARAMETER Record
    Its record.
    .PARAMETER Outcome
    The words for it.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Record,
        [Parameter(Mandatory = $true)] [string] $Outcome
    )
    $line = '{0}. {1}: {2}' -f $Record.id, $Outcome, $Record.label
    if ($Record.detail -ne '') { $line += " ($($Record.detail.TrimEnd('.')))" }
    Write-Output -InputObject (ConvertTo-PrintableText -Text $line)
}

function Format-StateChange {
    <#
    .SYNOPSIS
    Writes what changes in a state, one text for each name, such as RequestDisposition 0x101 -> 0x1; of a DACL one for
    each entry.
    .PARAMETER Now
    The state that stands.
    .PARAMETER Wanted
    The state that is wanted.
    .PARAMETER Account
    The names of accounts by their SIDs, or nothing.
    .PARAMETER Word
    What is said of an entry that a DACL lacks, and of one that it has and is not wanted.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Now,
        [Parameter(Mandatory = $true)] [hashtable] $Wanted,
        [AllowNull()] [hashtable] $Account,
        [string[]] $Word = @('add', 'remove')
    )
    foreach ($name in @($Wanted.psbase.Keys | Sort-Object)) {
        if ($name -eq 'nTSecurityDescriptor') {
            $dacls = @{ From = [string] $Now[$name]; To = [string] $Wanted[$name]; Account = $Account }
            foreach ($text in @(Compare-Dacl @dacls -Word $Word)) { "DACL: $text" }
            continue
        }
        $shown = @(foreach ($value in @($Now[$name], $Wanted[$name])) {
                if ($null -eq $value) { 'absent' }
                else { Format-StateValue -Name $name -Value $value }
            })
        if ([string] $Now[$name] -cne [string] $Wanted[$name] -or $shown[0] -ne $shown[1]) {
            '{0} {1} -> {2}' -f $name, $shown[0], $shown[1]
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
    .DESCRIPTION
    What an earlier run completed and is to be done again is not reached: a run that is ended now has not done it.
    .PARAMETER Entry
    The step with what stands there now.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Entry)
    $step, $found = $Entry['Step'], $Entry['Earlier']
    $open = $Entry['Verdict'] -eq 'as approved'
    $kept = $Entry['Written'] -and -not ($open -and $found.outcome -eq 'changed')
    return [ordered]@{
        id       = $step['Id']
        kind     = $step['Kind']
        label    = $step['Label']
        outcome  = if ($kept) { [string] $found.outcome } else { 'not reached' }
        before   = if ($kept -or $open) { $step['Before'] } else { $Entry['Now'] }
        after    = $Entry['Now']
        started  = if ($kept) { Format-ResultTime -Time $found.started } else { '' }
        finished = if ($kept) { Format-ResultTime -Time $found.finished } else { '' }
        detail   = if ($kept) { Get-EarlierDetail -Entry $Entry } else { '' }
    }
}

function Get-EarlierDetail {
    <#
    .SYNOPSIS
    Says what an earlier run recorded of a step, and where it had only begun it, that it is as wanted now.
    .PARAMETER Entry
    The step with what stands there now and what the earlier run recorded.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [hashtable] $Entry)
    $said = [string] $Entry.Earlier.detail
    if ($Entry.Earlier.outcome -ne 'begun' -or $Entry.Verdict -ne 'as wanted') { return $said }
    if ($said -eq '') { return 'An earlier run was interrupted in it; it is as wanted now.' }
    return "It is as wanted now. An earlier run had ended with: $said"
}
