function Confirm-NoDrift {
    <#
    .SYNOPSIS
    Throws when one value is neither as expected nor as wanted, and tells expected, now and wanted of each such.
    .PARAMETER Entries
    All steps with what stands there now.
    .PARAMETER Kind
    change expects what was approved; rollback what change.ps1 left.
    #>
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Entries,
        [string] $Kind = 'change'
    )
    $drifted = @(foreach ($entry in $Entries) { if ($entry['Verdict'] -eq 'drifted') { $entry } })
    if ($drifted.Count -eq 0) { return }
    Write-Drift -Entries $drifted -Kind $Kind
    if ($Kind -ne 'rollback') {
        throw 'Something else stands here now than when the plan was approved. Have a new plan made.'
    }
    throw ('Somebody has changed this since change.ps1 left it, and rollback.ps1 takes back nobody else''s change. ' +
        'Ask who changed it: once it stands again as change.ps1 left it, run rollback.ps1 again; else undo it by hand.')
}

function Write-Drift {
    <#
    .SYNOPSIS
    Tells expected, now and wanted of every value that is no longer as the script expects it.
    .PARAMETER Entries
    The steps.
    .PARAMETER Kind
    change expects what was approved; rollback what change.ps1 left.
    #>
    param([Parameter(Mandatory = $true)] [object[]] $Entries, [string] $Kind = 'change')
    $expected, $goal = 'approved', 'wanted'
    if ($Kind -eq 'rollback') { $expected, $goal = 'left', 'back to' }
    foreach ($entry in $Entries) {
        $step = $entry['Step']
        Write-Warning -Message (ConvertTo-PrintableText -Text ('{0}. {1}' -f $step['Id'], $step['Label']))
        foreach ($name in @($step['After'].psbase.Keys | Sort-Object)) {
            $before = $step['Before'][$name]
            if (Test-SameState -Now $entry['Now'] -Wanted @{ $name = $before }) { continue }
            $states = @(@{ Title = $expected; Value = $before }
                @{ Title = 'now'; Value = $entry['Now'][$name]; Word = @('extra', 'missing') }
                @{ Title = $goal; Value = $step['After'][$name]; Word = @('with', 'without') })
            foreach ($state in $states) {
                $text = Format-State -State @{ $name = $state['Value'] }
                if ($name -eq 'nTSecurityDescriptor' -and $null -ne $state['Word']) {
                    $dacls = @{ From = [string] $before; To = [string] $state['Value']; Account = $step['Accounts'] }
                    $text += ': ' + (@(Compare-Dacl @dacls -Word $state['Word']) -join '; ')
                }
                Write-Warning -Message (ConvertTo-PrintableText -Text ('   {0,-9} {1}' -f $state['Title'], $text))
            }
        }
    }
}

function Confirm-NeededStep {
    <#
    .SYNOPSIS
    Throws when a change of the directory that this host's change depends on is not there yet; shows now and wanted.
    .DESCRIPTION
    What others have changed beside it does not matter: of a DACL only the entries that the plan adds and removes are
    looked at, of the rest only what the plan changes.
    .PARAMETER Step
    The step of the directory.
    .PARAMETER Now
    The state that was read.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Step, [Parameter(Mandatory = $true)] [hashtable] $Now)
    $missing = @(foreach ($name in @($Step['After'].psbase.Keys | Sort-Object)) {
            if ($name -eq 'msPKI-Template-Minor-Revision') { continue }
            $before, $after = $Step['Before'][$name], $Step['After'][$name]
            if ([string] $before -ceq [string] $after -and ($null -eq $before) -eq ($null -eq $after)) { continue }
            if ($name -ne 'nTSecurityDescriptor') {
                Format-StateChange -Now @{ $name = $Now[$name] } -Wanted @{ $name = $after }
                continue
            }
            $account = $Step['Accounts']
            $planned = @(Compare-Dacl -From $before -To $after -Account $account -Word @('missing', 'still there'))
            $open = @(Compare-Dacl -From $Now[$name] -To $after -Account $account -Word @('missing', 'still there'))
            foreach ($one in $planned) { if ($open -ccontains $one) { "$name $one" } }
        })
    if ($missing.Count -eq 0) { return }
    foreach ($one in $missing) {
        $text = 'now ' + $one.Replace(' -> ', ', wanted ')
        Write-Warning -Message (ConvertTo-PrintableText -Text "   $text")
    }
    throw "Run the directory's change.ps1 first and wait for replication: $($Step['Label']) is not there yet."
}
