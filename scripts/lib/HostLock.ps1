function Get-HostLockPath {
    <#
    .SYNOPSIS
    Names the file by which this host is locked, below %ProgramData%.
    #>
    [OutputType([string])]
    param()
    return [System.IO.Path]::Combine($env:ProgramData, 'remediate', 'lock.json')
}

function Get-HostLock {
    <#
    .SYNOPSIS
    Reads who has locked this host, without keeping anybody out: Run, Who and Until, each absent when it is free.
    .EXAMPLE
    Get-HostLock
    #>
    [OutputType([hashtable])]
    param()
    $ErrorActionPreference = 'Stop'
    $free = @{ Run = $null; Who = $null; Until = $null }
    $path = Get-HostLockPath
    if (-not [System.IO.File]::Exists($path)) { return $free }
    return Invoke-HostLockStep -TimeoutSeconds 10 -Step {
        if (-not [System.IO.File]::Exists($path)) { return $free }
        $stream = [System.IO.FileStream]::new($path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read,
            [System.IO.FileShare]::ReadWrite -bor [System.IO.FileShare]::Delete)
        try { $found = Read-HostLock -Stream $stream }
        finally { $stream.Dispose() }
        if ($null -eq $found) { return $free }
        return $found
    }
}

function Lock-Host {
    <#
    .SYNOPSIS
    Locks this host for one run until a time. Who is faster has it; a lock past its time is dead and is taken over.
    .DESCRIPTION
    Returns the Outcome: taken, renewed (it was this run's already), taken over, or held. With the last two Run, Who
    and Until are those of the other. The lock is a file that only one can create, and is open to one at a time.
    .PARAMETER Run
    The name of the run.
    .PARAMETER Who
    Who runs it, and where.
    .PARAMETER Until
    When the lock dies, UTC, as 2026-11-29T10:00:00Z.
    .PARAMETER TimeoutSeconds
    How long to wait while another looks into the file.
    .EXAMPLE
    Lock-Host -Run '2026-11-22T100000Z-0f3c5b0e' -Who 'CONTOSO\anna on PC7' -Until '2026-11-22T12:00:00Z' -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [string] $Run,
        [Parameter(Mandatory = $true)] [string] $Who,
        [Parameter(Mandatory = $true)] [string] $Until,
        [ValidateRange(1, 600)] [int] $TimeoutSeconds = 10
    )
    $ErrorActionPreference = 'Stop'
    $null = ConvertTo-UtcTime -Text $Until
    $path = Get-HostLockPath
    if (-not $PSCmdlet.ShouldProcess($path, "lock for $Run until $Until")) { return }
    $lock = @{ Run = $Run; Who = $Who; Until = $Until }
    return Invoke-HostLockStep -TimeoutSeconds $TimeoutSeconds -Step {
        $null = [System.IO.Directory]::CreateDirectory([System.IO.Path]::GetDirectoryName($path))
        Set-HostLock -Path $path -Lock $lock
    }
}

function Unlock-Host {
    <#
    .SYNOPSIS
    Takes this run's lock away from this host. Another run's stays, and where there is none nothing is done.
    .DESCRIPTION
    Returns the Outcome: removed, or kept.
    .PARAMETER Run
    The name of the run.
    .PARAMETER TimeoutSeconds
    How long to wait while another looks into the file.
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [string] $Run,
        [ValidateRange(1, 600)] [int] $TimeoutSeconds = 10
    )
    $ErrorActionPreference = 'Stop'
    $path = Get-HostLockPath
    if (-not $PSCmdlet.ShouldProcess($path, "unlock for $Run")) { return }
    return Invoke-HostLockStep -TimeoutSeconds $TimeoutSeconds -Step {
        if (-not [System.IO.File]::Exists($path)) { return @{ Outcome = 'kept' } }
        $stream = [System.IO.FileStream]::new($path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::ReadWrite,
            [System.IO.FileShare]::Delete)
        try {
            $found = Read-HostLock -Stream $stream
            if ($null -eq $found -or $found.Run -cne $Run) { return @{ Outcome = 'kept' } }
            [System.IO.File]::Delete($path)
            return @{ Outcome = 'removed' }
        }
        finally { $stream.Dispose() }
    }
}

function Invoke-HostLockStep {
    <#
    .SYNOPSIS
    Tries something with the lock's file again and again while another has it open; throws when that takes too long.
    .PARAMETER Step
    What is tried.
    .PARAMETER TimeoutSeconds
    For how long.
    #>
    param([Parameter(Mandatory = $true)] [scriptblock] $Step, [Parameter(Mandatory = $true)] [int] $TimeoutSeconds)
    $deadline = [datetime]::UtcNow.AddSeconds($TimeoutSeconds)
    while ($true) {
        try { return & $Step }
        catch [System.IO.IOException], [System.UnauthorizedAccessException] {
            # Windows also denies access to a file that is being deleted at this moment.
            if ([datetime]::UtcNow -ge $deadline) {
                $why = $_.Exception.GetBaseException().Message
                throw (New-StateError -Id 'RemediateFailed' -Message "$(Get-HostLockPath) cannot be used. $why")
            }
        }
        Start-Sleep -Milliseconds 50
    }
}

function Set-HostLock {
    <#
    .SYNOPSIS
    Writes a lock where there is none or only a dead one, and says what was found. A file in use throws.
    .PARAMETER Path
    The lock's file.
    .PARAMETER Lock
    Run, Who and Until.
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [string] $Path, [Parameter(Mandatory = $true)] [hashtable] $Lock)
    $stands = [System.IO.File]::Exists($Path)
    $mode = if ($stands) { [System.IO.FileMode]::Open } else { [System.IO.FileMode]::CreateNew }
    $stream = [System.IO.FileStream]::new($Path, $mode, [System.IO.FileAccess]::ReadWrite, [System.IO.FileShare]::None)
    try {
        $found = if ($stands) { Read-HostLock -Stream $stream }
        $answer = @{ Outcome = 'taken'; Run = $null; Who = $null; Until = $null }
        if ($null -ne $found) { foreach ($name in @($found.Keys)) { $answer[$name] = $found[$name] } }
        if ($null -ne $found -and $found.Run -ceq $Lock.Run) { $answer.Outcome = 'renewed' }
        elseif ($null -ne $found) {
            $answer.Outcome = 'taken over'
            if ((ConvertTo-UtcTime -Text $found.Until) -gt [datetime]::UtcNow) { $answer.Outcome = 'held' }
        }
        if ($answer.Outcome -ne 'held') { Write-HostLock -Stream $stream -Lock $Lock }
        if ([System.IO.File]::Exists($Path)) { return $answer }
        throw [System.IO.IOException]::new('The file was taken away by its last owner meanwhile.')
    }
    finally { $stream.Dispose() }
}

function Read-HostLock {
    <#
    .SYNOPSIS
    Reads Run, Who and Until from the open file of a lock; nothing from one that was created and never written.
    .PARAMETER Stream
    The file.
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [System.IO.Stream] $Stream)
    $reader = [System.IO.StreamReader]::new($Stream, [System.Text.UTF8Encoding]::new($false), $false, 1024, $true)
    $text = $reader.ReadToEnd().Trim([char[]] @(0, 9, 10, 13, 32)) # a host that lost its power leaves zeros
    if ($text -eq '') { return }
    try {
        $read = ConvertFrom-Json -InputObject $text
        return @{ Run = [string] $read.run; Who = [string] $read.who; Until = (Format-ResultTime -Time $read.until) }
    }
    catch {
        $message = "$(Get-HostLockPath) is no lock of ours. Look who wrote it, and delete it if nobody is at work."
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
}

function Write-HostLock {
    <#
    .SYNOPSIS
    Writes a lock into its open file, to the disk.
    .PARAMETER Stream
    The file.
    .PARAMETER Lock
    Run, Who and Until.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.IO.FileStream] $Stream,
        [Parameter(Mandatory = $true)] [hashtable] $Lock
    )
    $record = [ordered]@{ run = $Lock.Run; who = $Lock.Who; until = $Lock.Until }
    $bytes = [System.Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject $record -Compress))
    $Stream.SetLength(0)
    $Stream.Write($bytes, 0, $bytes.Length)
    $Stream.Flush($true)
}
