function Get-CapturedState {
    <#
    .SYNOPSIS
    Gives the state that a run found at a step: the plan's own. Of the record only a template's minor revision counts.
    .DESCRIPTION
    A record is not signed. A run that wrote the step found what was approved, so a record that says otherwise was
    edited, and this throws. Of a restart nothing is put back, and what is recorded of it does not matter.
    .PARAMETER Step
    The step.
    .PARAMETER State
    The state in the record.
    #>
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Step,
        [Parameter(Mandatory = $true)] [AllowNull()] [object] $State
    )
    $approved = $Step['Before'].Clone()
    if ($Step['Kind'] -eq 'restart_service') { return $approved }
    $said = ConvertFrom-ResultState -State $State
    $revision = 'msPKI-Template-Minor-Revision'
    if ($null -ne $approved[$revision] -and [string] $said[$revision] -match '\A[0-9]{1,9}\z') {
        $approved[$revision] = [string] $said[$revision]
    }
    $alike = $said.psbase.Count -eq $approved.psbase.Count
    if ($alike -and (Test-SameState -Now $said -Wanted $approved)) { return $approved }
    $message = "The record says that at $($Step['Id']). $($Step['Label']) stood $(Format-State -State $said); " +
        "the plan was approved for $(Format-State -State $approved). The record was edited, and is not believed."
    throw (New-StateError -Id 'RemediateRefused' -Message $message)
}

function Confirm-RecordedState {
    <#
    .SYNOPSIS
    Throws when the record of a change says of a step that it wrote something that the plan was not approved for.
    .PARAMETER Plan
    The script's plan.
    .PARAMETER Change
    The record of the change.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Plan, [Parameter(Mandatory = $true)] [object] $Change)
    foreach ($step in $Plan['Steps']) {
        $record = Get-EarlierStep -Earlier $Change -Id $step['Id']
        if (Test-WrittenStep -Record $record) { $null = Get-CapturedState -Step $step -State $record.before }
    }
}

function Get-UnfinishedText {
    <#
    .SYNOPSIS
    Says what an earlier run of the plan wrote and what it still owes; the empty text where it owes nothing.
    .PARAMETER Plan
    The script's plan; what a rollback has undone since counts no more.
    .PARAMETER Record
    The record of the earlier run, or nothing.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [hashtable] $Plan, [AllowNull()] [object] $Record)
    if ($null -eq $Record) { return '' }
    $written, $left, $restart, $owed = @(), @(), $false, $false
    foreach ($step in $Plan['Steps']) {
        $found = Get-EarlierStep -Earlier $Record -Id $step['Id']
        if ($null -eq $found -or $step['Undone']) { continue }
        $name = "$($step['Id']). $($step['Label'])"
        if ($step['Kind'] -eq 'restart_service') { $owed = @('changed', 'as wanted') -notcontains $found.outcome }
        elseif ($found.outcome -eq 'begun') { $written += "$name (begun: whether it was written, verify.ps1 tells)" }
        elseif ($found.outcome -eq 'changed') { $written += $name }
        elseif ($found.outcome -eq 'not reached') { $left += $name }
        if ($found.outcome -eq 'begun' -or ($found.outcome -eq 'changed' -and $step['Restarts'])) { $restart = $true }
    }
    $owed = $owed -and $restart
    if ($written.Count -eq 0 -and -not $owed) { return '' }
    if ($left.Count -eq 0 -and -not $owed -and @($written -like '*(begun: *').Count -eq 0) { return '' }
    $text = 'An earlier run of this plan is unfinished.'
    if ($written.Count -gt 0) { $text += " It wrote: $($written -join '; ')." }
    if ($left.Count -gt 0) { $text += " It did not come to: $($left -join '; ')." }
    if ($owed) {
        $text += ' A restart of CertSvc is still owed: without it the CA goes on with the old values, or stands ' +
            'still. An administrator of this host does it by: Restart-Service -Name CertSvc.'
    }
    return "$text rollback.ps1 has no window and no expiry, and takes back what was written."
}
