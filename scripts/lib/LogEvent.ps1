function Get-EventLogStatus {
    <#
    .SYNOPSIS
    Says of an event log whether it is written and how much it holds; nothing where there is no such log.
    .DESCRIPTION
    Asked first: a filter over a log that may not be read finds no events, and Windows calls that no error.
    .PARAMETER LogName
    The log.
    #>
    param([Parameter(Mandatory = $true)] [string] $LogName)
    try { $found = @(Get-WinEvent -ListLog $LogName -ErrorAction Stop) }
    catch {
        if ($_.FullyQualifiedErrorId -like 'NoMatchingLogsFound*') { return $null }
        throw $_.Exception.GetBaseException()
    }
    return @{
        enabled     = [bool] $found[0].IsEnabled
        records     = [long] $found[0].RecordCount
        has_wrapped = [long] $found[0].OldestRecordNumber -gt 1
        oldest      = Get-EventLogEnd -LogName $LogName -Oldest $true
        newest      = Get-EventLogEnd -LogName $LogName -Oldest $false
    }
}

function Get-EventLogEnd {
    <#
    .SYNOPSIS
    Says when the first or the last event of a log was written; the empty text for an empty log.
    .PARAMETER LogName
    The log.
    .PARAMETER Oldest
    Whether the first one is meant.
    #>
    param([Parameter(Mandatory = $true)] [string] $LogName, [bool] $Oldest)
    $found = @(Get-WinEvent -LogName $LogName -MaxEvents 1 -Oldest:$Oldest -ErrorAction SilentlyContinue)
    if ($found.Count -eq 0) { return '' }
    return Format-UtcTime -Time $found[0].TimeCreated
}

function Split-EventFilter {
    <#
    .SYNOPSIS
    Makes filters of event IDs, ten in each: of a filter that is too long, Windows says that nothing matches it.
    .PARAMETER Filter
    What the filters have in common.
    .PARAMETER Id
    The event IDs.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Filter, [AllowEmptyCollection()] [int[]] $Id)
    for ($at = 0; $at -lt $Id.Length; $at += 10) {
        $part = $Filter.Clone()
        $part.Id = @($Id | Select-Object -Skip $at -First 10)
        $part
    }
}

function Read-LogEvent {
    <#
    .SYNOPSIS
    Reads the events that a filter lets by as XML, the newest first: all of them, or those that match a pattern.
    .PARAMETER Filter
    The filter, for the event log service.
    .PARAMETER Search
    What is looked for (Patterns), and until when (Until).
    .PARAMETER Room
    How many characters may be returned. What has no room is counted.
    .PARAMETER Unless
    Events of these IDs are returned by another filter. With it, only what matches a pattern is returned.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Filter,
        [Parameter(Mandatory = $true)] [hashtable] $Search,
        [int] $Room,
        [AllowNull()] [AllowEmptyCollection()] [int[]] $Unless = $null
    )
    $events = New-Object -TypeName 'System.Collections.Generic.List[string]'
    $row = @{ events = $events; left_out = 0; errors = 0; stopped = $false; absent = $false }
    $matching = @{ Patterns = $Search.Patterns; Unless = $Unless }
    try {
        Get-WinEvent -FilterHashtable $Filter -ErrorAction Continue 2>&1 | ForEach-Object -Process {
            if ([datetime]::UtcNow -gt $Search.Until) { throw [System.TimeoutException]::new() }
            if ($_ -is [System.Management.Automation.ErrorRecord]) {
                if ($_.FullyQualifiedErrorId -match '^(NoMatchingProvidersFound|LogsAndProvidersDontOverlap)') {
                    $row.absent = $true
                }
                elseif ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { $row.errors++ }
                return
            }
            $xml = Get-MatchingEventXml -Record $_ @matching
            if ($xml -eq '') { return }
            if ($Room -lt $xml.Length) { $row.left_out++; $Room = 0; return }
            $Room -= $xml.Length
            $events.Add($xml)
        }
    }
    catch {
        if ($_.Exception.GetBaseException() -isnot [System.TimeoutException]) { throw }
        $row.stopped = $true
    }
    return $row
}

function Get-MatchingEventXml {
    <#
    .SYNOPSIS
    Returns an event as XML, or the empty text where it holds nothing of what is looked for.
    .PARAMETER Record
    The event.
    .PARAMETER Patterns
    What is looked for in the values of the event. Its System element holds keywords that look like codes.
    .PARAMETER Unless
    Events of these IDs are passed over; with nothing here, every event is returned.
    #>
    param(
        [Parameter(Mandatory = $true)] [object] $Record,
        [Parameter(Mandatory = $true)] [regex[]] $Patterns,
        [AllowNull()] [AllowEmptyCollection()] [int[]] $Unless
    )
    if ($null -eq $Unless) { return [string] $Record.ToXml() }
    if ($Unless -contains $Record.Id) { return '' }
    $xml = [string] $Record.ToXml()
    $values = [System.Math]::Max(0, $xml.IndexOf('</System>', [System.StringComparison]::Ordinal))
    foreach ($pattern in $Patterns) { if ($pattern.IsMatch($xml, $values)) { return $xml } }
    return ''
}

function Join-LogEvent {
    <#
    .SYNOPSIS
    Reads a log by several filters, one after the other, within the same room and time, and sums up.
    .PARAMETER Filters
    The filters.
    .PARAMETER Search
    What is looked for, and until when.
    .PARAMETER Room
    How many characters all of them may return.
    .PARAMETER Unless
    As for Read-LogEvent.
    #>
    param(
        [AllowEmptyCollection()] [hashtable[]] $Filters,
        [Parameter(Mandatory = $true)] [hashtable] $Search,
        [int] $Room,
        [AllowNull()] [AllowEmptyCollection()] [int[]] $Unless = $null
    )
    $all = @{ events = @(); left_out = 0; errors = 0; stopped = $false; absent = $false }
    foreach ($filter in $Filters) {
        $read = Read-LogEvent -Filter $filter -Search $Search -Room $Room -Unless $Unless
        $all.events += @($read.events)
        foreach ($xml in $read.events) { $Room -= $xml.Length }
        $all.left_out += $read.left_out
        $all.errors += $read.errors
        $all.stopped = $all.stopped -or $read.stopped
        $all.absent = $all.absent -or $read.absent
    }
    return $all
}

function Read-RequestEvent {
    <#
    .SYNOPSIS
    Reads the events of requests: those of given IDs, and warnings and errors of other IDs that match a pattern.
    .PARAMETER Filter
    What all filters have in common.
    .PARAMETER Ids
    The event IDs: of what goes wrong (ids), of what went well (issued), of what is passed over (routine).
    .PARAMETER Search
    As for Get-LogEventFact. What goes wrong gets half of the room, the others a quarter each.
    #>
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Filter,
        [Parameter(Mandatory = $true)] [object] $Ids,
        [Parameter(Mandatory = $true)] [hashtable] $Search
    )
    $severe = $Filter.Clone()
    $severe.Level = @(1, 2, 3)
    $failing = @(Split-EventFilter -Filter $Filter -Id @($Ids.ids))
    $well = @(Split-EventFilter -Filter $Filter -Id @($Ids.issued))
    $others = @($Ids.ids) + @($Ids.issued) + @($Ids.routine)
    $quarter = [int] ($Search.Room / 4)
    $named = Join-LogEvent -Filters $failing -Search $Search -Room (2 * $quarter)
    $coded = Join-LogEvent -Filters @($severe) -Search $Search -Room $quarter -Unless $others
    $issued = Join-LogEvent -Filters $well -Search $Search -Room $quarter
    return @{
        absent          = $named.absent -or $coded.absent
        events          = ConvertTo-PlainList -Items @($named.events + $coded.events + $issued.events)
        left_out        = $named.left_out + $coded.left_out
        issued_left_out = $issued.left_out
        errors          = $named.errors + $coded.errors + $issued.errors
        stopped         = $named.stopped -or $coded.stopped -or $issued.stopped
    }
}

function Get-LogEventFact {
    <#
    .SYNOPSIS
    Reads of an event log what tells of requests, and how far back it reaches. Absent where there is no such log.
    .PARAMETER LogName
    The log: one of the connector's, or Application, of which only the events of the CA are read.
    .PARAMETER Ids
    The event IDs, as for Read-RequestEvent.
    .PARAMETER Search
    Since when (Since), until when (Until), what is looked for (Patterns), and the room for the answer (Room).
    #>
    param(
        [Parameter(Mandatory = $true)]
        [ValidateSet('Microsoft-Intune-CertificateConnectors/Operational',
            'Microsoft-Intune-CertificateConnectors/Admin', 'Microsoft Intune Connector', 'Application')]
        [string] $LogName,
        [Parameter(Mandatory = $true)] [object] $Ids,
        [Parameter(Mandatory = $true)] [hashtable] $Search
    )
    return Get-Fact -Reading {
        $log = Get-EventLogStatus -LogName $LogName
        if ($null -eq $log) { return New-AbsentFact }
        $common = @{ LogName = $LogName; StartTime = $Search.Since.ToLocalTime() }
        if ($LogName -eq 'Application') { $common.ProviderName = 'Microsoft-Windows-CertificationAuthority' }
        $read = Read-RequestEvent -Filter $common -Ids $Ids -Search $Search
        if ($read.absent) { return New-AbsentFact }
        return New-ValueFact -Value ($log + $read)
    }
}
