function New-ValueFact {
    <#
    .SYNOPSIS
    Makes a fact that was read.
    .PARAMETER Value
    A text, a number, a switch or a table. Lists go through New-ListFact.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [object] $Value)
    return @{ value = $Value }
}

function New-ListFact {
    <#
    .SYNOPSIS
    Makes a fact whose value is a list.
    .DESCRIPTION
    The list is built afresh: Windows PowerShell may write an array from a pipeline as an object with a Count.
    .PARAMETER Items
    The members of the list; none is a list as well.
    #>
    param([AllowEmptyCollection()] [AllowNull()] [object[]] $Items)
    return @{ value = (ConvertTo-PlainList -Items $Items) }
}

function ConvertTo-PlainList {
    <#
    .SYNOPSIS
    Copies items into a list that ConvertTo-Json writes as a JSON array, also with one member or none.
    .PARAMETER Items
    The members of the list.
    #>
    param([AllowEmptyCollection()] [AllowNull()] [object[]] $Items)
    $list = New-Object -TypeName 'System.Collections.Generic.List[object]'
    foreach ($item in $Items) { $list.Add($item) }
    return , $list
}

function New-AbsentFact {
    <#
    .SYNOPSIS
    Makes a fact about something that does not exist. That is a known fact.
    #>
    return @{ absent = $true }
}

function New-UnreadableFact {
    <#
    .SYNOPSIS
    Makes a fact that could not be read.
    .PARAMETER Why
    What stood in the way, for a reader.
    .PARAMETER Code
    The HRESULT as 0x80070005, where there was one.
    #>
    param([Parameter(Mandatory = $true)] [string] $Why, [string] $Code = '')
    return @{ unreadable = @{ why = $Why; code = $Code } }
}

function Get-Fact {
    <#
    .SYNOPSIS
    Runs one reading by itself, so that no fact can take another down with it.
    .PARAMETER Reading
    Returns one fact. Whatever it throws becomes an unreadable fact.
    #>
    param([Parameter(Mandatory = $true)] [scriptblock] $Reading)
    Set-StrictMode -Version Latest
    $ErrorActionPreference = 'Stop'
    try { return & $Reading }
    catch {
        $code = Get-ErrorCode -Exception $_.Exception
        return New-UnreadableFact -Why $_.Exception.Message -Code $code
    }
}

function Get-ErrorCode {
    <#
    .SYNOPSIS
    Names the HRESULT of an exception; nothing for those that are .NET's own.
    .DESCRIPTION
    Both ways in which .NET refuses access are E_ACCESSDENIED.
    .PARAMETER Exception
    The exception; what PowerShell wrapped around it is taken off.
    #>
    param([Parameter(Mandatory = $true)] [System.Exception] $Exception)
    $cause = $Exception
    while ($cause -is [System.Management.Automation.RuntimeException] -and $null -ne $cause.InnerException) {
        $cause = $cause.InnerException
    }
    if ($cause -is [System.Security.SecurityException]) { return '0x80070005' }
    if ($cause -is [System.UnauthorizedAccessException]) { return '0x80070005' }
    if ($cause -is [System.Net.Sockets.SocketException]) {
        return Format-Code -Number (0x80070000L -bor [int] $cause.SocketErrorCode)
    }
    $code = Format-Code -Number $cause.HResult
    if ($code -like '0x8013*') { return '' }
    return $code
}

function Format-Code {
    <#
    .SYNOPSIS
    Writes a 32-bit number, signed or not, as 0x and eight upper-case digits.
    .PARAMETER Number
    The number.
    #>
    param([Parameter(Mandatory = $true)] [long] $Number)
    return '0x{0:X8}' -f ($Number -band 0xFFFFFFFFL)
}

function Format-UtcTime {
    <#
    .SYNOPSIS
    Writes a time as UTC, ISO 8601, to the second.
    .PARAMETER Time
    A time of any kind; one of unknown kind is taken as local.
    #>
    param([Parameter(Mandatory = $true)] [datetime] $Time)
    # The sortable form is the same in every culture.
    return $Time.ToUniversalTime().ToString('s') + 'Z'
}
