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
    Reads who has locked this host, without keeping anybody out: Run, Who, Token and Until, each absent when it is free.
    .DESCRIPTION
    Live is yes while the lock holds by this host's clock, and absent for a dead one.
    .EXAMPLE
    Get-HostLock
    #>
    [OutputType([hashtable])]
    param()
    $ErrorActionPreference = 'Stop'
    $free = @{ Run = $null; Who = $null; Token = $null; Until = $null; Live = $null }
    $path = Get-HostLockPath
    if (-not [System.IO.File]::Exists($path)) { return $free }
    return Invoke-HostLockStep -TimeoutSeconds 10 -Step {
        if (-not [System.IO.File]::Exists($path)) { return $free }
        $stream = [System.IO.FileStream]::new($path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read,
            [System.IO.FileShare]::ReadWrite -bor [System.IO.FileShare]::Delete)
        try { $found = Read-HostLock -Stream $stream }
        finally { $stream.Dispose() }
        if ($null -eq $found) { return $free }
        $found.Live = if (Test-LiveHostLock -Lock $found) { 'yes' }
        return $found
    }
}

function Lock-Host {
    <#
    .SYNOPSIS
    Locks this host for one run and for a time. Who is faster has it; a lock past its time is dead and is taken over.
    .DESCRIPTION
    Returns the Outcome: taken, renewed (the lock with this token stood there), taken over, or held. With the last two
    Run, Who and Until are those of the other, else this run's own. Whose a lock is, its token alone decides: two runs
    may have one name. When it dies, the clock of this host alone decides, so that no other clock need be right. The
    lock is a file that only one can create, and is open to one at a time.
    .PARAMETER Run
    The name of the run, for people.
    .PARAMETER Who
    Who runs it, and where.
    .PARAMETER Token
    What this run alone knows: 32 to 64 hexadecimal digits, by chance.
    .PARAMETER Seconds
    How long the lock holds from now on, when it is not renewed.
    .PARAMETER TimeoutSeconds
    How long to wait while another looks into the file.
    .EXAMPLE
    Lock-Host -Run '20261122T100000Z-0f3c5b0e' -Who 'CONTOSO\anna on PC7' -Token ('0f' * 16) -Seconds 3600 -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [string] $Run,
        [Parameter(Mandatory = $true)] [string] $Who,
        [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9a-f]{32,64}$')] [string] $Token,
        [Parameter(Mandatory = $true)] [ValidateRange(1, 86400)] [int] $Seconds,
        [ValidateRange(1, 600)] [int] $TimeoutSeconds = 10
    )
    $ErrorActionPreference = 'Stop'
    $path = Get-HostLockPath
    if (-not $PSCmdlet.ShouldProcess($path, "lock for $Run, for $Seconds seconds")) { return }
    $lock = @{ Run = $Run; Who = $Who; Token = $Token; Seconds = $Seconds }
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
    .PARAMETER Token
    The token that it was taken with.
    .PARAMETER TimeoutSeconds
    How long to wait while another looks into the file.
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9a-f]{32,64}$')] [string] $Token,
        [ValidateRange(1, 600)] [int] $TimeoutSeconds = 10
    )
    $ErrorActionPreference = 'Stop'
    $path = Get-HostLockPath
    if (-not $PSCmdlet.ShouldProcess($path, 'unlock')) { return }
    return Invoke-HostLockStep -TimeoutSeconds $TimeoutSeconds -Step {
        if (-not [System.IO.File]::Exists($path)) { return @{ Outcome = 'kept' } }
        $stream = [System.IO.FileStream]::new($path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::ReadWrite,
            [System.IO.FileShare]::Delete)
        try {
            $found = Read-HostLock -Stream $stream
            if ($null -eq $found -or $found.Token -cne $Token) { return @{ Outcome = 'kept' } }
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
    Run, Who, Token and Seconds.
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [string] $Path, [Parameter(Mandatory = $true)] [hashtable] $Lock)
    $stands = [System.IO.File]::Exists($Path)
    $mode = if ($stands) { [System.IO.FileMode]::Open } else { [System.IO.FileMode]::CreateNew }
    $stream = [System.IO.FileStream]::new($Path, $mode, [System.IO.FileAccess]::ReadWrite, [System.IO.FileShare]::None)
    try {
        $found = if ($stands) { Read-HostLock -Stream $stream }
        $until = Format-UtcTime -Time ([datetime]::UtcNow.AddSeconds($Lock.Seconds))
        $own = @{ Run = $Lock.Run; Who = $Lock.Who; Token = $Lock.Token; Until = $until }
        $outcome = if ($null -eq $found) { 'taken' }
        elseif ($found.Token -ceq $own.Token) { 'renewed' }
        elseif (Test-LiveHostLock -Lock $found) { 'held' }
        else { 'taken over' }
        if ($outcome -ne 'held') { Write-HostLock -Stream $stream -Lock $own }
        $whose = if ($outcome -eq 'taken' -or $outcome -eq 'renewed') { $own } else { $found }
        $answer = @{ Outcome = $outcome; Run = $whose.Run; Who = $whose.Who; Until = $whose.Until }
        if ([System.IO.File]::Exists($Path)) { return $answer }
        throw [System.IO.IOException]::new('The file was taken away by its last owner meanwhile.')
    }
    finally { $stream.Dispose() }
}

function Read-HostLock {
    <#
    .SYNOPSIS
    Reads Run, Who, Token and Until from the open file of a lock; nothing from one that was created and never written.
    .DESCRIPTION
    The token of a lock that has none, an older program's, is empty: it is nobody's here.
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
        $token = if ($null -ne $read.PSObject.Properties['token']) { [string] $read.token } else { '' }
        $until = Format-ResultTime -Time $read.until
        $null = ConvertTo-UtcTime -Text $until
        return @{ Run = [string] $read.run; Who = [string] $read.who; Token = $token; Until = $until }
    }
    catch {
        $message = "$(Get-HostLockPath) is no lock of ours. Look who wrote it, and delete it if nobody is at work."
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
}

function Test-LiveHostLock {
    <#
    .SYNOPSIS
    Says whether a lock still holds, by the clock of this host.
    .PARAMETER Lock
    What Read-HostLock gave.
    #>
    [OutputType([bool])]
    param([Parameter(Mandatory = $true)] [hashtable] $Lock)
    return (ConvertTo-UtcTime -Text $Lock.Until) -gt [datetime]::UtcNow
}

function Write-HostLock {
    <#
    .SYNOPSIS
    Writes a lock into its open file, to the disk.
    .PARAMETER Stream
    The file.
    .PARAMETER Lock
    Run, Who, Token and Until.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.IO.FileStream] $Stream,
        [Parameter(Mandatory = $true)] [hashtable] $Lock
    )
    $record = [ordered]@{ run = $Lock.Run; who = $Lock.Who; token = $Lock.Token; until = $Lock.Until }
    $bytes = [System.Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject $record -Compress))
    $Stream.SetLength(0)
    $Stream.Write($bytes, 0, $bytes.Length)
    $Stream.Flush($true)
}
