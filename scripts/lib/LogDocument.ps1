function Get-LogDocument {
    <#
    .SYNOPSIS
    Reads what the logs of this host tell of certificate requests since a time, and returns it as one line of JSON: of
    the connector's and the CA's events and of the connector's trace files what holds a known code, event ID or text; of
    its request files names, times and codes. Changes nothing.
    .PARAMETER Collector
    The name and version of the collector, which the document repeats.
    .PARAMETER Request
    What is looked for, as JSON: since (UTC, yyyyMMddTHHmmssZ), seconds (how long it may take), room (characters of the
    answer from one log), patterns (regular expressions of codes and texts), events (of each log the IDs of what goes
    wrong, ids, of what went well, issued, and of what is passed over, routine).
    .EXAMPLE
    Get-LogDocument -Collector 'remediate 0.1.0' -Request $request
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [string] $Collector, [Parameter(Mandatory = $true)] [string] $Request)
    $began = [datetime]::UtcNow
    $asked = ConvertFrom-Json -InputObject $Request
    $search = ConvertTo-LogSearch -Asked $asked -Began $began
    $logs = foreach ($one in $asked.events) {
        @{ log = $one.log; read = (Get-LogEventFact -LogName $one.log -Ids $one -Search $search) }
    }
    $intune = "$env:ProgramFiles\Microsoft Intune"
    $folders = foreach ($path in "$intune\PfxRequest", "$intune\PFXCertificateConnector\PfxRequest") {
        Get-RequestFolderSet -Path $path
    }
    $document = @{
        format_version  = '1.0'
        role            = 'logs'
        collector       = $Collector
        read_from       = [string] $env:COMPUTERNAME
        read_at         = Format-UtcTime -Time $began
        logs            = ConvertTo-PlainList -Items @($logs)
        traces          = Get-TraceFolderFact -Search $search
        request_folders = ConvertTo-PlainList -Items @($folders)
    }
    return ConvertTo-Json -InputObject $document -Compress -Depth 10
}

function ConvertTo-LogSearch {
    <#
    .SYNOPSIS
    Makes of what was asked what the readings take: times as times, regular expressions that may not run away.
    .PARAMETER Asked
    The request.
    .PARAMETER Began
    When it began.
    #>
    param([Parameter(Mandatory = $true)] [object] $Asked, [Parameter(Mandatory = $true)] [datetime] $Began)
    $culture = [System.Globalization.CultureInfo]::InvariantCulture
    $utc = [System.Globalization.DateTimeStyles]::AdjustToUniversal -bor
        [System.Globalization.DateTimeStyles]::AssumeUniversal
    $options = [System.Text.RegularExpressions.RegexOptions]::Compiled -bor
        [System.Text.RegularExpressions.RegexOptions]::CultureInvariant
    $limit = [System.TimeSpan]::FromSeconds(20)
    return @{
        Since    = [datetime]::ParseExact([string] $Asked.since, 'yyyyMMddTHHmmssZ', $culture, $utc)
        Until    = $Began.AddSeconds([int] $Asked.seconds)
        Patterns = [regex[]] @(foreach ($one in $Asked.patterns) { [regex]::new([string] $one, $options, $limit) })
        Room     = [int] $Asked.room
    }
}
