function Invoke-PlanRun {
    <#
    .SYNOPSIS
    Reads every step, refuses drift as a whole, asks for each change, carries it out, and records all of it.
    .PARAMETER Steps
    The steps in the order in which they are written.
    .PARAMETER Earlier
    The record of an earlier run of the same steps, or nothing.
    .PARAMETER Keep
    Records that are copied before this run replaces them: each file's name and that of its copy.
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
        [hashtable] $Keep = @{},
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [scriptblock] $Read,
        [Parameter(Mandatory = $true)] [scriptblock] $Check,
        [Parameter(Mandatory = $true)] [scriptblock] $Write,
        [Parameter(Mandatory = $true)] [System.Management.Automation.PSCmdlet] $Cmdlet
    )
    $entries = @(Read-PlanEntry -Steps $Steps -Earlier $Earlier -Result $Result -Read $Read)
    Confirm-NoDrift -Entries $entries -Kind $Result['kind']
    foreach ($entry in $entries) { if ($entry['Verdict'] -eq 'as approved') { & $Check $entry['Step'] } }
    $Result['steps'] = @(foreach ($entry in $entries) { ($entry['Record'] = New-StepRecord -Entry $entry) })
    Copy-KeptRecord -Path $Path -Keep $Keep
    $Result['phase'] = 'asking'
    foreach ($entry in $entries) {
        Invoke-PlanStep -Entry $entry -Result $Result -Path $Path -Read $Read -Write $Write -Cmdlet $Cmdlet
    }
    Complete-PlanRun -Result $Result -Entries $entries
}

function Read-PlanEntry {
    <#
    .SYNOPSIS
    Reads what stands at every step and says of each: as approved, as wanted, or drifted.
    .PARAMETER Steps
    The steps.
    .PARAMETER Earlier
    The record of an earlier run of the same steps, or nothing.
    .PARAMETER Result
    The record of this run.
    .PARAMETER Read
    Reads the state of a step.
    #>
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Steps,
        [AllowNull()] [object] $Earlier,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [scriptblock] $Read
    )
    $Result['phase'] = 'reading'
    $states = @(foreach ($step in $Steps) { Read-PlanStep -Step $step -Read $Read })
    $Result['phase'] = 'comparing'
    $entries = @(for ($at = 0; $at -lt $Steps.Count; $at++) {
            New-StepEntry -Step $Steps[$at] -Now $states[$at] -Earlier $Earlier
        })
    Set-RestartVerdict -Entries $entries
    foreach ($entry in $entries) { $entry['Kind'] = $Result['kind'] }
    return $entries
}

function Copy-KeptRecord {
    <#
    .SYNOPSIS
    Copies the records that this run is going to replace; where that fails, nothing is begun.
    .PARAMETER Path
    The record's file.
    .PARAMETER Keep
    The records: each file's name and that of its copy.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path, [Parameter(Mandatory = $true)] [hashtable] $Keep)
    if ($WhatIfPreference) { return }
    try { foreach ($file in $Keep.psbase.Keys) { [System.IO.File]::Copy($file, $Keep[$file], $true) } }
    catch { throw "The record of this run cannot be written to ${Path}: $($_.Exception.Message)" }
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
    $record, $done = $Entry['Record'], 'done before'
    $record['outcome'] = Get-StepOutcome -Entry $Entry -Result $Result -Cmdlet $Cmdlet
    if ($WhatIfPreference) { return }
    if ($record['outcome'] -eq 'begun') {
        $done, $stood = 'done', @{ phase = $Result['phase']; exit_code = $Result['exit_code'] }
        try {
            Save-BegunStep -Record $record -Result $Result -Path $Path
            Write-PlanStep -Entry $Entry -Record $record -Read $Read -Write $Write
        }
        finally {
            # Where this step was not written after all, the run stands where it stood.
            if (-not (Test-WrittenStep -Record $record)) {
                foreach ($name in $stood.psbase.Keys) { $Result[$name] = $stood[$name] }
            }
        }
        Save-RunResult -Result $Result -Path $Path
    }
    $shown = if ($record['outcome'] -eq 'changed') { $done } else { $record['outcome'] }
    Write-StepOutcome -Record $record -Outcome $shown
}

function Save-BegunStep {
    <#
    .SYNOPSIS
    Leaves the trace that a step is about to be written. Where it cannot be left, the step is not begun.
    .PARAMETER Record
    The record of the step; changed in place.
    .PARAMETER Result
    The record of the run.
    .PARAMETER Path
    The record's file.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Record,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [string] $Path
    )
    $Record['started'] = Format-UtcTime -Time ([datetime]::UtcNow)
    $Record['finished'] = ''
    $Record['detail'] = ''
    $Result['phase'] = 'writing'
    $Result['exit_code'] = 4
    try { Save-RunResult -Result $Result -Path $Path }
    catch {
        $Record['outcome'] = 'not reached'
        throw "The record of this run cannot be written to ${Path}: $($_.Exception.Message)"
    }
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
    $step = $Entry['Step']
    try {
        $said = @(Invoke-StepWrite -Entry $Entry -Read $Read -Write $Write)
        $Record['detail'] = @(foreach ($one in $said) { if ($one -isnot [bool]) { $one } }) -join ' '
    }
    catch {
        $Record.detail = [string] $_.Exception.Message
        # Said before anything is written, or by the directory instead of writing: there is nothing to undo.
        if ($_.FullyQualifiedErrorId -eq 'RemediateDrift') { $Record.outcome = 'not reached' }
        try {
            $Record.after = $Entry['Now'] = & $Read $step
            $Record.detail += " Afterwards it reads $(Format-State -State $Record.after)."
            if ($Record.outcome -ne 'begun') { Write-Drift -Entries @($Entry) -Kind $Entry['Kind'] }
        }
        catch { $Record.detail += ' Afterwards it cannot be read.' }
        throw
    }
    $Record.after = & $Read $step
    if (-not (Test-SameState -Now $Record.after -Wanted $step.After)) {
        $Record.detail = "It was written, but reads $(Format-State -State $Record.after)."
        throw "$($step.Label): $($Record.detail)"
    }
    # False: somebody else had written the same in the meantime, and it is not this run's to undo.
    $Record.outcome = if ($said -contains $false) { 'as wanted' } else { 'changed' }
    $Record.finished = Format-UtcTime -Time ([datetime]::UtcNow)
}

function Invoke-StepWrite {
    <#
    .SYNOPSIS
    Writes one step where it still stands as it was read; throws RemediateDrift where something else stands there now.
    .DESCRIPTION
    Returns what the function that writes has said; $false when somebody else has written the same in the meantime.
    Values of the registry and objects of the directory are compared there, with nothing between that and the write.
    .PARAMETER Entry
    The step with what stood there when everything was read.
    .PARAMETER Read
    Reads the state of a step.
    .PARAMETER Write
    Writes a step.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Entry,
        [Parameter(Mandatory = $true)] [scriptblock] $Read,
        [Parameter(Mandatory = $true)] [scriptblock] $Write
    )
    $step = $Entry['Step']
    if (@('ca_registry_value', 'template', 'publish_template') -notcontains $step['Kind']) {
        $states = @{ Now = (& $Read $step); Before = $Entry['Now']; After = $step['After'] }
        $open = Test-ChangeNeeded -Address $step['Label'] @states
        # A service that runs is as wanted, and is restarted all the same.
        if (-not $open -and $step['Kind'] -ne 'restart_service') { return $false }
    }
    & $Write $step $Entry['Now']
}

function Get-StepOutcome {
    <#
    .SYNOPSIS
    Says what happens to a step: begun, as wanted, changed (by an earlier run of this plan), or declined, by an answer
    or because it needs one that was declined.
    .DESCRIPTION
    A restart is declined unasked only when everything it was planned for was declined.
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
    if ($Entry['Verdict'] -eq 'as wanted') { if ($Entry['Written']) { return 'changed' } else { return 'as wanted' } }
    $step = $Entry['Step']
    $needed = @(foreach ($one in $Result['steps']) { if ($step['DependsOn'] -contains $one['id']) { $one } })
    $declined = @(foreach ($one in $needed) { if ($one['outcome'] -eq 'declined') { $one } })
    $enough = if ($step['Kind'] -eq 'restart_service') { $needed.Count } else { 1 }
    if (-not $WhatIfPreference -and $declined.Count -gt 0 -and $declined.Count -ge $enough) { return 'declined' }
    $what = @("$($step['Id']). $($step['Label'])")
    # These words cost more than the change itself where nobody is to read them.
    if ($WhatIfPreference -or $ConfirmPreference -ne 'None' -or $VerbosePreference -ne 'SilentlyContinue') {
        $states = @{ Now = $Entry['Now']; Wanted = $step['After']; Account = $step['Accounts'] }
        foreach ($text in @(Format-StateChange @states) + $step['Disruption']) {
            if ($text -ne '' -and -not $step['Label'].Contains($text)) { $what += $text }
        }
        $what = @(foreach ($text in $what) { ConvertTo-PrintableText -Text $text })
    }
    $caption = "Change $($step['Id']) on $($Result['target'])"
    if ($Cmdlet.ShouldProcess(($what -join '; '), ($what -join "`n    "), $caption)) { return 'begun' }
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
    $left = @($Result.steps | Where-Object -FilterScript { $_.outcome -eq 'declined' })
    $owed = @($Entries | Where-Object -FilterScript { $_.Verdict -eq 'as approved' })
    if ($WhatIfPreference) {
        $Result.exit_code = if ($owed.Count -gt 0) { 2 } else { 0 }
        $Result.message = if ($owed.Count -gt 0) { 'Nothing was changed.' } else { 'There is nothing to do.' }
    }
    elseif ($left.Count -eq 0) {
        $Result.exit_code = 0
        $Result.message = if ($owed.Count -gt 0) { 'All of it is done.' } else { 'There was nothing to do.' }
    }
    elseif ($left.Count -eq $owed.Count) {
        $Result.exit_code = 3
        $Result.message = 'Every change was declined. Nothing was changed.'
    }
    else {
        $Result.exit_code = 4
        $Result.message = "Declined: $($left.Count) of $($owed.Count) changes. The others are done."
    }
    Write-Output -InputObject $Result.message
}

function Stop-PlanRun {
    <#
    .SYNOPSIS
    Records and tells why a run ended before its end: refused (3), could not read (1), stopped part-way (4).
    .PARAMETER Result
    The record of the run.
    .PARAMETER Message
    What was thrown.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [string] $Message
    )
    $codes = @{ checking = 3; reading = 1; comparing = 3; asking = 3; writing = 4 }
    $Result.exit_code = $codes[$Result.phase]
    if ($Result.kind -eq 'verify') { $Result.message = $Message }
    elseif ($Result.phase -ne 'writing') { $Result.message = "$Message Nothing was changed." }
    else {
        $Result.message = $Message
        $told = $true # what was done has been told as it was done
        foreach ($record in $Result.steps) {
            if (@('begun', 'not reached') -contains $record.outcome) { $told = $false }
            if ($told) { continue }
            $shown = @{ changed = 'done'; begun = 'begun, not completed' }[[string] $record.outcome]
            if (-not $shown) { $shown = $record.outcome }
            Write-StepOutcome -Record $record -Outcome $shown
        }
    }
    Write-Warning -Message (ConvertTo-PrintableText -Text $Result.message)
    if ($Result.phase -ne 'writing') { return }
    $again = "Once the cause is mended, run $($Result.kind).ps1 again: it goes on from here."
    Write-Warning -Message "It stopped part-way. $again"
    if ($Result.kind -eq 'change') { Write-Warning -Message 'Or run rollback.ps1, which undoes what was done.' }
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
        if ($Result.phase -eq 'writing') { $Result.exit_code = 4 }
        elseif (@(0, 2) -contains $Result.exit_code) { $Result.exit_code = 1 }
    }
}
