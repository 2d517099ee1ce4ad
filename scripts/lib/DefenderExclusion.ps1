function Get-DefenderExclusion {
    <#
    .SYNOPSIS
    Reads which of these paths Defender leaves alone: a state of a name for each path, excluded or absent.
    .DESCRIPTION
    Throws where Defender is not installed, or does not show its exclusions to this account.
    .PARAMETER Path
    The paths.
    .EXAMPLE
    Get-DefenderExclusion -Path "$env:ProgramFiles\Microsoft Intune\PfxRequest"
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [string[]] $Path)
    $preference = Get-MpPreference -ErrorAction Stop
    $excluded = @($preference.ExclusionPath | Where-Object -FilterScript { $null -ne $_ })
    if (@($excluded | Where-Object -FilterScript { $_ -like 'N/A:*' }).Count -gt 0) {
        $message = 'Defender does not show its exclusions to this account (0x80070005).'
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
    $state = @{}
    foreach ($one in $Path) { $state[$one] = if ($excluded -contains $one) { 'excluded' } else { $null } }
    return $state
}

function Test-DefenderExclusion {
    <#
    .SYNOPSIS
    Says whether Defender leaves these paths alone as wanted.
    .PARAMETER Path
    The paths.
    .PARAMETER Wanted
    The wanted state, such as @{ 'C:\x' = 'excluded' }.
    #>
    [OutputType([bool])]
    param([Parameter(Mandatory = $true)] [string[]] $Path, [Parameter(Mandatory = $true)] [hashtable] $Wanted)
    return Test-SameState -Now (Get-DefenderExclusion -Path $Path) -Wanted $Wanted
}

function Add-DefenderExclusion {
    <#
    .SYNOPSIS
    Adds paths to those that Defender leaves alone. What is excluded already is left as it is.
    .DESCRIPTION
    The exclusions are read back: where Group Policy rules over them, Defender takes the command and changes nothing.
    Returns $false when all of them were excluded already.
    .PARAMETER Path
    The paths.
    .EXAMPLE
    Add-DefenderExclusion -Path "$env:ProgramFiles\Microsoft Intune\PfxRequest" -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string[]] $Path)
    $ErrorActionPreference = 'Stop'
    $now = Get-DefenderExclusion -Path $Path
    $missing = @($Path | Where-Object -FilterScript { $null -eq $now[$_] } | Select-Object -Unique)
    $chosen = @(foreach ($one in $missing) {
            if ($PSCmdlet.ShouldProcess($one, 'Add-MpPreference -ExclusionPath')) { $one }
        })
    if ($chosen.Count -eq 0) {
        Write-Verbose -Message 'Defender: no exclusion was added'
        if ($missing.Count -eq 0) { return $false }
        return
    }
    $named = $chosen -join ', '
    Write-VerboseText -Text "running Add-MpPreference -ExclusionPath $named"
    try { $null = Add-MpPreference -ExclusionPath $chosen -Force -ErrorAction Stop }
    catch {
        $message = "Add-MpPreference -ExclusionPath $named failed. $($_.Exception.Message)"
        throw (New-StateError -Id 'RemediateFailed' -Message $message)
    }
    $wanted = @{}
    foreach ($one in $chosen) { $wanted[$one] = 'excluded' }
    Confirm-StateWritten -Address 'Defender' -Now (Get-DefenderExclusion -Path $chosen) -Wanted $wanted
}

function Remove-DefenderExclusion {
    <#
    .SYNOPSIS
    Takes paths off those that Defender leaves alone. What is not excluded is left as it is.
    .DESCRIPTION
    This is the way back from Add-DefenderExclusion. The exclusions are read back. Returns $false when none was there.
    .PARAMETER Path
    The paths.
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string[]] $Path)
    $ErrorActionPreference = 'Stop'
    $now = Get-DefenderExclusion -Path $Path
    $present = @($Path | Where-Object -FilterScript { $null -ne $now[$_] } | Select-Object -Unique)
    $chosen = @(foreach ($one in $present) {
            if ($PSCmdlet.ShouldProcess($one, 'Remove-MpPreference -ExclusionPath')) { $one }
        })
    if ($chosen.Count -eq 0) {
        Write-Verbose -Message 'Defender: no exclusion was removed'
        if ($present.Count -eq 0) { return $false }
        return
    }
    $named = $chosen -join ', '
    Write-VerboseText -Text "running Remove-MpPreference -ExclusionPath $named"
    try { $null = Remove-MpPreference -ExclusionPath $chosen -Force -ErrorAction Stop }
    catch {
        $message = "Remove-MpPreference -ExclusionPath $named failed. $($_.Exception.Message)"
        throw (New-StateError -Id 'RemediateFailed' -Message $message)
    }
    $wanted = @{}
    foreach ($one in $chosen) { $wanted[$one] = $null }
    Confirm-StateWritten -Address 'Defender' -Now (Get-DefenderExclusion -Path $chosen) -Wanted $wanted
}
