function Invoke-Program {
    <#
    .SYNOPSIS
    Runs a program and returns its lines and its exit code, as 0x and eight digits.
    .DESCRIPTION
    What it writes on its error stream is not taken: it would end the script where errors do.
    An exit code that was cut short is made whole from the HRESULT that certutil prints with its failure.
    .PARAMETER Program
    The program.
    .PARAMETER Arguments
    Its arguments.
    #>
    param([Parameter(Mandatory = $true)] [string] $Program, [string[]] $Arguments = @())
    $ErrorActionPreference = 'Continue'
    $lines = [string[]] @(& $Program @Arguments)
    if ($LASTEXITCODE -eq 0) { return @{ Lines = $lines; Code = '0x00000000' } }
    $code = Format-Code -Number $LASTEXITCODE
    $printed = [regex]::Matches(($lines -join "`n"), 'FAILED: (0x[0-9A-Fa-f]{8})')
    if ($code -notmatch '^0x[89A-F]' -and $printed.Count -gt 0) {
        $code = '0x' + $printed[$printed.Count - 1].Groups[1].Value.Substring(2).ToUpperInvariant()
    }
    return @{ Lines = $lines; Code = $code }
}

function Get-PingFact {
    <#
    .SYNOPSIS
    Asks the CA of this host whether it is alive. The exit code is the answer, also when it did not answer.
    #>
    return Get-Fact -Reading {
        $answer = Invoke-Program -Program 'certutil.exe' -Arguments @('-ping')
        return New-ValueFact -Value @{ code = $answer.Code }
    }
}

function Get-PendingRequestFact {
    <#
    .SYNOPSIS
    Lists the requests that wait in the CA's queue. Columns go by position, for their headings are translated.
    #>
    return Get-Fact -Reading {
        $columns = 'RequestID,RequesterName,CommonName,CertificateTemplate,SubmittedWhen'
        $arguments = @('-view', '-restrict', 'Disposition=9', '-out', $columns, 'csv')
        $answer = Invoke-Program -Program 'certutil.exe' -Arguments $arguments
        if ($answer.Code -ne '0x00000000') {
            return New-UnreadableFact -Why 'certutil -view failed' -Code $answer.Code
        }
        return New-ListFact -Items @(ConvertFrom-PendingRequestRow -Lines $answer.Lines)
    }
}

function ConvertFrom-PendingRequestRow {
    <#
    .SYNOPSIS
    Turns the rows of certutil -view into pending requests, without the heading; a row without a number throws.
    .PARAMETER Lines
    What certutil printed.
    #>
    param([AllowEmptyCollection()] [AllowEmptyString()] [string[]] $Lines)
    $text = @($Lines | Where-Object -FilterScript { $_.Trim() -ne '' -and $_ -notlike 'CertUtil:*' }) -join "`r`n"
    if ($text -eq '') { return }
    $rows = @(ConvertFrom-Csv -InputObject $text -Header 'Id', 'Requester', 'CommonName', 'Template', 'Submitted')
    foreach ($row in @($rows | Select-Object -Skip 1)) {
        if ($row.Id -notmatch '^\s*(?:0x[0-9A-Fa-f]+ \()?(\d+)\)?\s*$') {
            throw 'certutil -view gave a row without a request ID'
        }
        @{
            request_id = [long] $Matches[1]
            requester  = [string] $row.Requester
            template   = [string] $row.Template
            submitted  = [string] $row.Submitted
        }
    }
}
