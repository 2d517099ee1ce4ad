function Confirm-Answer {
    <#
    .SYNOPSIS
    Throws when every change is to be asked for and nobody is there to answer: no prompt may hang.
    #>
    if ($ConfirmPreference -eq 'None' -or $WhatIfPreference) { return }
    $arguments = @([System.Environment]::GetCommandLineArgs())
    # These two ask in a window of their own; for them there is no console to look at.
    $windows = @('Windows PowerShell ISE Host', 'Visual Studio Code Host')
    $unattended = @($arguments -match '^[-/]{1,2}noni').Count -gt 0
    $console = $windows -contains $Host.Name -or -not [System.Console]::IsInputRedirected
    if ($unattended -or -not $console -or -not [System.Environment]::UserInteractive) {
        throw 'Every change asks first, and nobody can answer here. Where it may go on unasked, give -Confirm:$false.'
    }
}

function Confirm-HostFree {
    <#
    .SYNOPSIS
    Refuses while a live run has locked this host, and says whose it is and until when. With -WhatIf it only says so.
    .DESCRIPTION
    A lock past its time is dead. One that cannot be read as ours is a refusal as well.
    #>
    param()
    $held = Get-HostLock
    if ($null -eq $held['Live']) { return }
    $message = "Another run is at work on this host: $($held['Run']), by $($held['Who']), " +
        "until $($held['Until']) at the latest."
    if (-not $WhatIfPreference) { throw (New-StateError -Id 'RemediateRefused' -Message $message) }
    Write-Warning -Message (ConvertTo-PrintableText -Text $message)
}

function Read-EarlierRun {
    <#
    .SYNOPSIS
    Reads what earlier runs of this plan left: Record, the change to go on from, and Keep, the records of a change that
    was undone, which are copied before a new run replaces them. Undone steps start from where they are.
    .PARAMETER Plan
    The script's plan; its steps are changed in place.
    .PARAMETER ResultPath
    The record of the change.
    .PARAMETER RollbackPath
    The record of its rollback.
    .PARAMETER Result
    The record of this run: it says which rollback it follows.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Plan,
        [Parameter(Mandatory = $true)] [string] $ResultPath,
        [Parameter(Mandatory = $true)] [string] $RollbackPath,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result
    )
    $record = Read-RunResult -Path $ResultPath -Plan $Plan
    $rollback = Read-RunResult -Path $RollbackPath -Plan $Plan
    if ($null -eq $record -or $null -eq $rollback) { return @{ Record = $record; Keep = @{} } }
    $undone = $rollback.undoes -eq $record.sha256
    $follows = $record.follows -eq $rollback.sha256
    if ($undone -or $follows) { $Result.follows = $rollback.sha256 }
    foreach ($step in $Plan.Steps) {
        $later = $follows -and (Test-WrittenStep -Record (Get-EarlierStep -Earlier $record -Id $step.Id))
        $found = if (($undone -or $follows) -and -not $later) { Get-EarlierStep -Earlier $rollback -Id $step.Id }
        Update-UndoneStep -Step $step -Undone $found
    }
    $keep = @{}
    if ($undone) {
        foreach ($path in @($ResultPath, $RollbackPath)) {
            $keep[$path] = [System.IO.Path]::ChangeExtension($path, "$($record.sha256.Substring(0, 8)).json")
        }
    }
    return @{ Record = $record; Keep = $keep }
}
