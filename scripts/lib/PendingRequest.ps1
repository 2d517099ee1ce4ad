function Get-RequestDisposition {
    <#
    .SYNOPSIS
    Asks the CA of this host what has become of a request: pending, issued, revoked, failed, denied; nothing where the
    CA knows no such request.
    .DESCRIPTION
    Decided by number (9, 20, 21, 30, 31); another number throws, and so does a CA that does not answer.
    .PARAMETER RequestId
    The number of the request.
    .EXAMPLE
    Get-RequestDisposition -RequestId 17
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [ValidateRange(1, 2147483647)] [int] $RequestId)
    $ErrorActionPreference = 'Stop'
    $arguments = @('-view', '-restrict', "RequestID=$RequestId", '-out', 'RequestID,Disposition', 'csv')
    $answer = Invoke-Program -Program 'certutil.exe' -Arguments $arguments
    if ($answer.Code -ne '0x00000000') {
        $message = "Request $RequestId cannot be read: certutil -view failed with $($answer.Code)."
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
    $lines = @($answer.Lines | Where-Object -FilterScript { $_.Trim() -ne '' -and $_ -notlike 'CertUtil:*' })
    if ($lines.Count -eq 0) { return }
    $rows = @(ConvertFrom-Csv -InputObject $lines -Header 'Id', 'Disposition' | Select-Object -Skip 1)
    if ($rows.Count -eq 0) { return }
    $word = ''
    if ($rows[0].Disposition -match '^\s*(?:0x[0-9A-Fa-f]+ \()?([0-9]+)\)?(?: -- .*)?$') {
        $words = @{ '9' = 'pending'; '20' = 'issued'; '21' = 'revoked'; '30' = 'failed'; '31' = 'denied' }
        $word = [string] $words[$Matches[1]]
    }
    if ($word -ne '') { return $word }
    $message = "Request $RequestId has a disposition that is not known here: $($rows[0].Disposition)."
    throw (New-StateError -Id 'RemediateRefused' -Message $message)
}

function Get-PendingRequestState {
    <#
    .SYNOPSIS
    Reads whether a request waits in the CA's queue: Disposition is pending, or absent once it has been decided.
    .PARAMETER RequestId
    The number of the request.
    .EXAMPLE
    Get-PendingRequestState -RequestId 17
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [ValidateRange(1, 2147483647)] [int] $RequestId)
    if ((Get-RequestDisposition -RequestId $RequestId) -ceq 'pending') { return @{ Disposition = 'pending' } }
    return @{ Disposition = $null }
}

function Test-PendingRequest {
    <#
    .SYNOPSIS
    Says whether a request waits in the CA's queue, or does not, as wanted.
    .PARAMETER RequestId
    The number of the request.
    .PARAMETER Wanted
    The wanted state: @{ Disposition = 'pending' } or @{ Disposition = $null }.
    #>
    [OutputType([bool])]
    param(
        [Parameter(Mandatory = $true)] [ValidateRange(1, 2147483647)] [int] $RequestId,
        [Parameter(Mandatory = $true)] [hashtable] $Wanted
    )
    return Test-SameState -Now (Get-PendingRequestState -RequestId $RequestId) -Wanted $Wanted
}

function Submit-PendingRequest {
    <#
    .SYNOPSIS
    Submits a waiting request to the CA again, by its number, so that it is decided as the CA's settings say now.
    .DESCRIPTION
    For one named request that somebody has asked for, never for all that wait. There is no way back from a certificate
    but to revoke it. A request that does not wait is left as it is. Returns what became of the request.
    .PARAMETER RequestId
    The number of the request.
    .EXAMPLE
    Submit-PendingRequest -RequestId 17 -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [ValidateRange(1, 2147483647)] [int] $RequestId)
    $ErrorActionPreference = 'Stop'
    $now = Get-RequestDisposition -RequestId $RequestId
    if ($now -cne 'pending') {
        if (-not $now) {
            throw (New-StateError -Id 'RemediateRefused' -Message "The CA knows no request $RequestId.")
        }
        Write-VerboseText -Text "request $RequestId does not wait: $now"
        return @{ Disposition = $now }
    }
    if (-not $PSCmdlet.ShouldProcess("request $RequestId", "certutil.exe -resubmit $RequestId")) { return }
    Invoke-WritingProgram -Program 'certutil.exe' -Arguments @('-resubmit', [string] $RequestId)
    $after = Get-RequestDisposition -RequestId $RequestId
    Write-VerboseText -Text "request ${RequestId}: $after"
    if ($after -ceq 'issued') { return @{ Disposition = $after } }
    $message = "Request $RequestId was submitted again, and is $after; no certificate was issued."
    throw (New-StateError -Id 'RemediateNotAsWritten' -Message $message)
}
