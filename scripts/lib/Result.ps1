function New-RunResult {
    <#
    .SYNOPSIS
    Begins the record of one run: what a script did, for the return to whoever made the plan.
    .PARAMETER Kind
    Which of the three scripts runs.
    .PARAMETER Plan
    The script's plan.
    #>
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('change', 'verify', 'rollback')] [string] $Kind,
        [Parameter(Mandatory = $true)] [hashtable] $Plan
    )
    return [ordered]@{
        format_version = '1.0'
        kind           = $Kind
        plan_id        = $Plan.Digest
        target         = $Plan.Target
        tool           = $Plan.Tool
        computer       = [string] $env:COMPUTERNAME
        account        = Get-ReaderName
        powershell     = $PSVersionTable.PSVersion.ToString()
        started        = Format-UtcTime -Time ([datetime]::UtcNow)
        finished       = ''
        phase          = 'checking'
        exit_code      = 1
        message        = ''
        undoes         = ''
        steps          = New-Object -TypeName 'System.Collections.Generic.List[object]'
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
    $head = $body.Substring(0, $body.Length - 1)
    $text = '{0},"sha256":"{1}"}}' -f $head, (Get-TextHash -Text $head)
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($text + "`r`n")
    $next = "$Path.new"
    $stream = New-Object -TypeName 'System.IO.FileStream' -ArgumentList $next, 'Create'
    try {
        $stream.Write($bytes, 0, $bytes.Length)
        $stream.Flush($true)
    }
    finally { $stream.Dispose() }
    if ([System.IO.File]::Exists($Path)) { [System.IO.File]::Replace($next, $Path, [NullString]::Value) }
    else { [System.IO.File]::Move($next, $Path) }
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
    $end = [regex]::Match($text, '^(?<head>\{.*),"sha256":"(?<hash>[0-9a-f]{64})"\}$', 'Singleline')
    if (-not $end.Success -or (Get-TextHash -Text $end.Groups['head'].Value) -ne $end.Groups['hash'].Value) {
        throw "$Path is cut off or was edited."
    }
    $result = ConvertFrom-Json -InputObject $text
    if ($result.plan_id -ne $Plan.Digest -or $result.target -ne $Plan.Target) {
        throw "$Path belongs to another plan or another target."
    }
    return $result
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
