function Get-TextEncoding {
    <#
    .SYNOPSIS
    Says whether the text in a stream is UTF-16, by its byte order mark or by its zeros, and leaves the stream at its
    first character. UTF-16 of western text has a zero in nearly every second byte, and in nearly no other.
    .PARAMETER Stream
    The stream, from its beginning.
    .PARAMETER Otherwise
    The encoding of everything else; such a stream is left at its beginning.
    #>
    param(
        [Parameter(Mandatory = $true)] [System.IO.Stream] $Stream,
        [Parameter(Mandatory = $true)] [System.Text.Encoding] $Otherwise
    )
    $bytes = [byte[]]::new(4096)
    $sample = [System.Text.Encoding]::GetEncoding('iso-8859-1').GetString($bytes, 0, $Stream.Read($bytes, 0, 4096))
    $mark = $sample.Substring(0, [System.Math]::Min(2, $sample.Length))
    $Stream.Position = 2
    if ($mark -ceq "$([char] 0xFF)$([char] 0xFE)") { return [System.Text.Encoding]::Unicode }
    if ($mark -ceq "$([char] 0xFE)$([char] 0xFF)") { return [System.Text.Encoding]::BigEndianUnicode }
    $Stream.Position = 0
    $pairs = [System.Math]::Floor($sample.Length / 2)
    $first = [regex]::Replace($sample, '(?s)(.).?', '$1').Split([char] 0).Count - 1
    $second = [regex]::Replace($sample, '(?s).(.?)', '$1').Split([char] 0).Count - 1
    if ($pairs -lt 2) { return $Otherwise }
    if ($second * 10 -ge $pairs * 7 -and $first * 10 -le $pairs) { return [System.Text.Encoding]::Unicode }
    if ($first * 10 -ge $pairs * 7 -and $second * 10 -le $pairs) { return [System.Text.Encoding]::BigEndianUnicode }
    return $Otherwise
}

function Open-TraceFile {
    <#
    .SYNOPSIS
    Opens a text file that a service is still writing, or moving away. Of what is not UTF-16 each byte is one character.
    .PARAMETER Path
    The file.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path)
    $share = [System.IO.FileShare]::ReadWrite -bor [System.IO.FileShare]::Delete
    $stream = [System.IO.File]::Open($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, $share)
    $encoding = Get-TextEncoding -Stream $stream -Otherwise ([System.Text.Encoding]::GetEncoding('iso-8859-1'))
    return [System.IO.StreamReader]::new($stream, $encoding, $false, 131072)
}

function Get-TraceTime {
    <#
    .SYNOPSIS
    Returns the time of the first trace record in a text, in UTC; nothing where there is none that can be read.
    .PARAMETER Text
    The text.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text)
    $found = [regex]::Match($Text, '<TimeCreated\s+SystemTime\s*=\s*["'']([^"''<>]{1,64})')
    if (-not $found.Success) { return }
    $culture = [System.Globalization.CultureInfo]::InvariantCulture
    $kind = [System.Globalization.DateTimeStyles]::AdjustToUniversal -bor
        [System.Globalization.DateTimeStyles]::AssumeLocal
    try { return [datetime]::Parse($found.Groups[1].Value, $culture, $kind) }
    catch [System.FormatException] { return }
}

function Find-TraceRecord {
    <#
    .SYNOPSIS
    Finds the trace records in a text that hold what is looked for and are not too old: where each begins, and its text.
    .DESCRIPTION
    Of a record longer than 65536 characters it returns what stands around the find.
    .PARAMETER Text
    The text: whole records, or what stands at the end of a file.
    .PARAMETER Search
    What is looked for (Patterns), and since when (Since).
    #>
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text,
        [Parameter(Mandatory = $true)] [hashtable] $Search
    )
    $ordinal, $done = [System.StringComparison]::Ordinal, 0
    $found = foreach ($pattern in $Search.Patterns) { foreach ($one in $pattern.Matches($Text)) { $one.Index } }
    foreach ($place in @($found | Sort-Object)) {
        if ($place -lt $done) { continue }
        $start = $Text.LastIndexOf('<E2ETraceEvent', $place, $place - $done + 1, $ordinal)
        if ($start -lt 0) { $start = $done }
        $end = $Text.IndexOf('</E2ETraceEvent>', $place, $ordinal)
        if ($end -lt 0) { $end = $Text.Length } else { $end += 16 }
        $time = Get-TraceTime -Text $Text.Substring($start, [System.Math]::Min(4096, $end - $start))
        if ($end - $start -gt 65536) {
            $start = [System.Math]::Max($start, $place - 1024)
            $end = [System.Math]::Min($end, $start + 16384)
        }
        if ($null -eq $time -or $time -ge $Search.Since) {
            @{ at = $start; text = $Text.Substring($start, $end - $start) }
        }
        $done = $end
    }
}

function Get-TraceCut {
    <#
    .SYNOPSIS
    Says up to where a text is searched now: to the end of its last whole record, to its end where nothing follows. Of a
    record of more than a million characters, all but so much that a find on the seam is not missed.
    .PARAMETER Text
    The text.
    .PARAMETER Ended
    Whether the file ends there.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text, [bool] $Ended)
    if ($Ended) { return $Text.Length }
    $last = $Text.LastIndexOf('</E2ETraceEvent>', [System.StringComparison]::Ordinal)
    if ($last -ge 0) { return $last + 16 }
    if ($Text.Length -gt 1048576) { return $Text.Length - 256 }
    return 0
}

function Read-TraceFile {
    <#
    .SYNOPSIS
    Reads a service trace file piece by piece, and returns the records that hold what is looked for, the newest of them
    where there is not room for all; and how many records it holds, and their first and last time as written.
    .PARAMETER Path
    The file.
    .PARAMETER Search
    What is looked for (Patterns), since when (Since), and until when (Until).
    .PARAMETER Room
    How many characters may be returned.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [hashtable] $Search,
        [int] $Room
    )
    $kept = New-Object -TypeName 'System.Collections.Generic.Queue[object]'
    $row = @{ records = 0; left_out = 0; stopped = $false; first = ''; last = '' }
    $buffer, $rest, $at, $count = [char[]]::new(262144), '', [long] 0, 1
    $reader = Open-TraceFile -Path $Path
    try {
        $row.encoding = $reader.CurrentEncoding.WebName
        while ($count -gt 0) {
            if ([datetime]::UtcNow -gt $Search.Until) { $row.stopped = $true; break }
            $count = $reader.Read($buffer, 0, $buffer.Length)
            $text = $rest + [string]::new($buffer, 0, $count)
            $cut = Get-TraceCut -Text $text -Ended ($count -eq 0)
            $whole, $rest = $text.Substring(0, $cut), $text.Substring($cut)
            $row.records += [regex]::Matches($whole, '</E2ETraceEvent>').Count
            foreach ($found in Find-TraceRecord -Text $whole -Search $Search) {
                $kept.Enqueue(@{ at = $at + $found.at; text = $found.text })
                $Room -= $found.text.Length
                while ($Room -lt 0 -and $kept.Count -gt 0) { $Room += $kept.Dequeue().text.Length; $row.left_out++ }
            }
            $times = Get-TraceSpan -Text $whole
            if ($row.first -eq '') { $row.first = $times.first }
            if ($times.last -ne '') { $row.last = $times.last }
            $at += $cut
        }
    }
    finally { $reader.Dispose() }
    $row.entries = ConvertTo-PlainList -Items @($kept)
    return $row
}

function Get-TraceSpan {
    <#
    .SYNOPSIS
    Returns the first and the last time in a text of trace records, as written; empty texts where there is none.
    .PARAMETER Text
    The text.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text)
    $pattern = '<TimeCreated\s+SystemTime\s*=\s*["'']([^"''<>]{1,64})'
    $end = $Text.Substring([System.Math]::Max(0, $Text.Length - 65536))
    $last = [regex]::Match($end, $pattern, [System.Text.RegularExpressions.RegexOptions]::RightToLeft)
    return @{ first = [regex]::Match($Text, $pattern).Groups[1].Value; last = $last.Groups[1].Value }
}

function Get-TraceFolderFact {
    <#
    .SYNOPSIS
    Reads the service trace files below the connector's folder that were written since a time, the newest first.
    .PARAMETER Search
    Since when (Since), until when (Until), what is looked for (Patterns), and the room for the answer (Room).
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Search)
    return Get-Fact -Reading {
        $folder = "$env:ProgramFiles\Microsoft Intune"
        if ($null -eq (Get-FolderItem -Path $folder)) { return New-AbsentFact }
        $listing = @{ LiteralPath = $folder; Filter = '*.svclog'; File = $true; Recurse = $true; Depth = 4 }
        $found = @(Get-ChildItem @listing -Force -ErrorAction Continue 2>&1)
        $files = @($found | Where-Object -FilterScript { $_ -is [System.IO.FileInfo] })
        # Of a file that is held open, the folder may tell an old time.
        foreach ($file in $files) { $file.Refresh() }
        $recent = @($files | Where-Object -FilterScript { $_.LastWriteTimeUtc -ge $Search.Since })
        $rows = @(Get-TraceFileRow -Files $recent -Search $Search)
        return New-ValueFact -Value @{
            path = $folder; total = $files.Count; older = $files.Count - $recent.Count
            errors = $found.Count - $files.Count; files = (ConvertTo-PlainList -Items $rows)
        }
    }
}

function Get-TraceFileRow {
    <#
    .SYNOPSIS
    Reads service trace files one after the other. One that cannot be read says so and takes no other with it.
    .PARAMETER Files
    The files.
    .PARAMETER Search
    As for Get-TraceFolderFact. Each file may take half of the room that is left.
    #>
    param([AllowEmptyCollection()] [System.IO.FileInfo[]] $Files, [Parameter(Mandatory = $true)] [hashtable] $Search)
    $room = $Search.Room
    foreach ($file in @($Files | Sort-Object -Property 'LastWriteTimeUtc' -Descending)) {
        $read = Get-Fact -Reading {
            New-ValueFact -Value (Read-TraceFile -Path $file.FullName -Search $Search -Room ($room / 2))
        }
        if ($read.ContainsKey('value')) { foreach ($entry in $read.value.entries) { $room -= $entry.text.Length } }
        @{ path = $file.FullName; size = $file.Length; read = $read }
    }
}
