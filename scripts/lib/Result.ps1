function New-RunResult {
    <#
    .SYNOPSIS
    Begins the record of one run: what a script did, for the return to whoever made the plan.
    .PARAMETER Kind
    Which of the three scripts runs.
    .PARAMETER Plan
    The script's plan.
    .PARAMETER Account
    As whom it runs, as DOMAIN\user.
    #>
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('change', 'verify', 'rollback')] [string] $Kind,
        [Parameter(Mandatory = $true)] [hashtable] $Plan,
        [string] $Account = ''
    )
    return [ordered]@{
        format_version = '1.0'
        kind           = $Kind
        plan_id        = $Plan['Digest']
        target         = $Plan['Target']
        tool           = $Plan['Tool']
        computer       = [string] $env:COMPUTERNAME
        account        = $Account
        powershell     = [string] $PSVersionTable['PSVersion']
        started        = Format-UtcTime -Time ([datetime]::UtcNow)
        finished       = ''
        phase          = 'checking'
        exit_code      = 1
        message        = ''
        undoes         = ''
        follows        = ''
        steps          = @()
    }
}

function Save-RunResult {
    <#
    .SYNOPSIS
    Writes the record of a run whole, to the disk, before the old one is replaced: a killed script leaves a trace.
    .DESCRIPTION
    The last property is the SHA-256 of all that stands before it, so that a record that was cut off or edited is seen.
    .PARAMETER Result
    The record.
    .PARAMETER Path
    The file.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Result,
        [Parameter(Mandatory = $true)] [string] $Path
    )
    $body = ConvertTo-Json -InputObject $Result -Depth 8 -Compress
    $head = $body.Substring(0, $body.Length - 1) # without its closing brace
    $text = '{0},"sha256":"{1}"}}' -f $head, (Get-TextHash -Text $head)
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($text + "`r`n")
    $next = "$Path.new"
    $stream = [System.IO.FileStream]::new($next, [System.IO.FileMode]::Create)
    try {
        $stream.Write($bytes, 0, $bytes.Length)
        $stream.Flush($true)
    }
    finally { $stream.Dispose() }
    Save-NewFile -From $next -To $Path
}

function Save-NewFile {
    <#
    .SYNOPSIS
    Puts a new file in the place of an old one, at once. A scanner that holds the old one is given a second.
    .PARAMETER From
    The new file.
    .PARAMETER To
    The place.
    #>
    param([Parameter(Mandatory = $true)] [string] $From, [Parameter(Mandatory = $true)] [string] $To)
    foreach ($attempt in 1..5) {
        try {
            if ([System.IO.File]::Exists($To)) { [System.IO.File]::Replace($From, $To, [NullString]::Value) }
            else { [System.IO.File]::Move($From, $To) }
            return
        }
        catch { if ($attempt -ge 5) { throw } }
        Start-Sleep -Milliseconds 250
    }
}

function Get-RecordPath {
    <#
    .SYNOPSIS
    Makes the path of a record whole: as given, or beside the script. One that names no file throws.
    .DESCRIPTION
    A relative one goes from where PowerShell stands among files, also while it stands in HKLM:; programs and .NET may
    stand elsewhere.
    .PARAMETER Path
    The path that was given, or nothing; what it names need not exist.
    .PARAMETER Folder
    The script's folder.
    .PARAMETER Name
    The name of the record there.
    #>
    [OutputType([string])]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Path,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Name
    )
    if ($Path -eq '') {
        if ($Folder -ne '') { return [System.IO.Path]::Combine($Folder, $Name) }
        throw "It is not known in which folder this script stands. Say where $Name belongs: -ResultPath and the like."
    }
    $paths, $drive = $ExecutionContext.SessionState.Path, ''
    if (-not $paths.IsPSAbsolute($Path, [ref] $drive) -and -not $paths.IsProviderQualified($Path)) {
        $here = $paths.CurrentFileSystemLocation.ProviderPath
        return [System.IO.Path]::GetFullPath([System.IO.Path]::Combine($here, $Path))
    }
    $found = $paths.GetUnresolvedProviderPathFromPSPath($Path)
    if ([System.IO.Path]::IsPathRooted($found) -and [System.IO.Path]::GetFullPath($found) -eq $found) { return $found }
    throw "$Path is no path of a file: records are written to a disk."
}

function Lock-RunResult {
    <#
    .SYNOPSIS
    Keeps a second copy of change.ps1 or rollback.ps1 out of this folder until the lock is disposed of.
    .DESCRIPTION
    The lock is an open file that Windows closes and deletes when the script ends, however it ends.
    .PARAMETER Path
    The file of the change's record.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path)
    if ($WhatIfPreference) { return }
    $file = "$Path.lock"
    try {
        # Enumerations by their types: .NET Framework has two constructors of six, between which texts do not decide.
        return [System.IO.FileStream]::new($file, [System.IO.FileMode]::OpenOrCreate, [System.IO.FileAccess]::ReadWrite,
            [System.IO.FileShare]::None, 1, [System.IO.FileOptions]::DeleteOnClose)
    }
    catch {
        $why = $_.Exception.GetBaseException().Message
        throw "Another copy of these scripts is at work here, or this folder cannot be written to. $why"
    }
}

function Get-TextHash {
    <#
    .SYNOPSIS
    Gives the SHA-256 of a text's UTF-8 bytes as 64 lower-case hexadecimal digits.
    .PARAMETER Text
    The text.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text)
    $sha = [System.Security.Cryptography.SHA256]::Create()
    try { $hash = $sha.ComputeHash([System.Text.Encoding]::UTF8.GetBytes($Text)) }
    finally { $sha.Dispose() }
    return [System.BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}

function Read-RunResult {
    <#
    .SYNOPSIS
    Reads the record of an earlier run of this plan on this target; nothing when there is none. Throws when it is
    cut off, was edited, or belongs to another plan or target.
    .PARAMETER Path
    The file.
    .PARAMETER Plan
    The script's plan.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [hashtable] $Plan
    )
    if (-not [System.IO.File]::Exists($Path)) { return }
    $text = [System.IO.File]::ReadAllText($Path).TrimEnd()
    $end = [regex]::Match($text, '(?s)^(?<head>\{.*),"sha256":"(?<hash>[0-9a-f]{64})"\}$')
    if (-not $end.Success -or (Get-TextHash -Text $end.Groups['head'].Value) -ne $end.Groups['hash'].Value) {
        throw "$Path is cut off or was edited."
    }
    try { $result = ConvertFrom-Json -InputObject $text }
    catch { throw "$Path is no record of a run." }
    if ($result.plan_id -ne $Plan.Digest -or $result.target -ne $Plan.Target) {
        throw "$Path belongs to another plan or another target."
    }
    return $result
}

function Format-ResultTime {
    <#
    .SYNOPSIS
    Writes a time of a record that was read back as it stood there; PowerShell 7 has made a date of it.
    .PARAMETER Time
    The text, or the date.
    #>
    [OutputType([string])]
    param([AllowNull()] [object] $Time)
    if ($Time -is [datetime]) { return Format-UtcTime -Time $Time }
    return [string] $Time
}

function ConvertFrom-ResultState {
    <#
    .SYNOPSIS
    Turns a state of a record that was read back into a table.
    .PARAMETER State
    The object that ConvertFrom-Json made.
    #>
    param([Parameter(Mandatory = $true)] [AllowNull()] [object] $State)
    $table = @{}
    if ($null -ne $State) {
        foreach ($property in $State.PSObject.Properties) { $table[$property.Name] = $property.Value }
    }
    return $table
}
