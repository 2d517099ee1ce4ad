function Get-FolderItem {
    <#
    .SYNOPSIS
    Finds a folder; nothing when it does not exist. Refused access is an exception.
    .PARAMETER Path
    The folder.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path)
    try { return Get-Item -LiteralPath $Path -Force -ErrorAction Stop }
    catch [System.Management.Automation.ItemNotFoundException] { return $null }
}

function Get-RequestFolderFact {
    <#
    .SYNOPSIS
    Lists the newest fifty request files of a folder with the HRESULTs in them, never their contents.
    .PARAMETER Path
    The folder; absent when it does not exist.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path)
    return Get-Fact -Reading {
        if ($null -eq (Get-FolderItem -Path $Path)) { return New-AbsentFact }
        $files = @(Get-ChildItem -LiteralPath $Path -File -Force -ErrorAction Stop)
        $newest = @($files | Sort-Object -Property LastWriteTimeUtc -Descending | Select-Object -First 50)
        $rows = foreach ($file in $newest) { ConvertTo-RequestFileRow -File $file }
        $listed = ConvertTo-PlainList -Items @($rows)
        return New-ValueFact -Value @{ path = $Path; total = $files.Count; files = $listed }
    }
}

function Get-RequestFolderSet {
    <#
    .SYNOPSIS
    Reads the three parts of a PfxRequest folder.
    .PARAMETER Path
    The PfxRequest folder.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path)
    return @{
        path       = $Path
        failed     = Get-RequestFolderFact -Path "$Path\Failed"
        processing = Get-RequestFolderFact -Path "$Path\Processing"
        succeed    = Get-RequestFolderFact -Path "$Path\Succeed"
    }
}

function ConvertTo-RequestFileRow {
    <#
    .SYNOPSIS
    Describes a request file. One that cannot be read says so and takes no other with it.
    .PARAMETER File
    The file.
    #>
    param([Parameter(Mandatory = $true)] [System.IO.FileInfo] $File)
    $written = Format-UtcTime -Time $File.LastWriteTimeUtc
    $row = @{ name = $File.Name; size = $File.Length; written = $written; unreadable = '' }
    $codes = @()
    try { $codes = @(Find-ResultCode -Text (Read-FileStart -Path $File.FullName -Limit 1MB)) }
    catch { $row.unreadable = "could not be read $(Get-ErrorCode -Exception $_.Exception)".Trim() }
    $row.codes = ConvertTo-PlainList -Items $codes
    return $row
}

function Read-FileStart {
    <#
    .SYNOPSIS
    Reads the beginning of a text file, also while another program writes it: UTF-16, or else UTF-8.
    .PARAMETER Path
    The file.
    .PARAMETER Limit
    How many bytes at most.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path, [Parameter(Mandatory = $true)] [int] $Limit)
    $share = [System.IO.FileShare]::ReadWrite -bor [System.IO.FileShare]::Delete
    $stream = [System.IO.File]::Open($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, $share)
    try {
        $buffer = [byte[]]::new([System.Math]::Min($Limit, $stream.Length))
        $filled = 0
        while ($filled -lt $buffer.Length) {
            $count = $stream.Read($buffer, $filled, $buffer.Length - $filled)
            if ($count -eq 0) { break }
            $filled += $count
        }
    }
    finally { $stream.Dispose() }
    $memory = [System.IO.MemoryStream]::new($buffer, 0, $filled)
    $encoding = Get-TextEncoding -Stream $memory -Otherwise ([System.Text.Encoding]::UTF8)
    $reader = [System.IO.StreamReader]::new($memory, $encoding, $false)
    try { return $reader.ReadToEnd() } finally { $reader.Dispose() }
}

function Find-ResultCode {
    <#
    .SYNOPSIS
    Finds the HRESULTs in a text, in their order and each once: 0x and eight digits, or the same as a signed number.
    .PARAMETER Text
    The text.
    #>
    param([AllowEmptyString()] [string] $Text)
    $found = New-Object -TypeName 'System.Collections.Generic.List[string]'
    $pattern = '(?<![0-9A-Za-z])0x([0-9A-Fa-f]{8})(?![0-9A-Za-z])|(?<![0-9.])-214\d{7}(?!\d)'
    foreach ($match in [regex]::Matches($Text, $pattern)) {
        if ($match.Groups[1].Success) { $code = '0x' + $match.Groups[1].Value.ToUpperInvariant() }
        elseif ([long] $match.Value -lt [int]::MinValue) { continue }
        else { $code = Format-Code -Number ([long] $match.Value) }
        if (-not $found.Contains($code)) { $found.Add($code) }
    }
    return $found
}
