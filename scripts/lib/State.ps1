function Test-SameState {
    <#
    .SYNOPSIS
    Says whether a state is as wanted: every name of the wanted state has the same text, or is absent where it is.
    .DESCRIPTION
    A state is a table of names and texts; $null is a thing that is absent. Texts are compared letter by letter.
    .PARAMETER Now
    The state that was read.
    .PARAMETER Wanted
    The state that is wanted. What it does not name does not matter.
    .EXAMPLE
    Test-SameState -Now @{ State = 'Running' } -Wanted @{ State = 'Stopped' }
    #>
    [OutputType([bool])]
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Now,
        [Parameter(Mandatory = $true)] [hashtable] $Wanted
    )
    # .Keys of a table that holds something named so is that something.
    foreach ($name in $Wanted.psbase.Keys) {
        if (-not $Now.ContainsKey($name)) { return $false }
        $absent = $null -eq $Wanted[$name]
        if ($absent -ne ($null -eq $Now[$name])) { return $false }
        if (-not $absent -and [string] $Now[$name] -cne [string] $Wanted[$name]) { return $false }
    }
    return $true
}

function Write-VerboseText {
    <#
    .SYNOPSIS
    Tells a step to whoever asked for -Verbose; what is named in it cannot control the screen.
    .PARAMETER Text
    The text.
    #>
    param([Parameter(Mandatory = $true)] [string] $Text)
    if ($VerbosePreference -eq 'SilentlyContinue') { return }
    Write-Verbose -Message (ConvertTo-PrintableText -Text $Text)
}

function ConvertTo-PrintableText {
    <#
    .SYNOPSIS
    Writes a text for a console: breaks as blanks, what controls the screen or turns the direction by its number.
    .PARAMETER Text
    The text.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text)
    $unseen = '[\p{C}\p{Zl}\p{Zp}]'
    if ($Text -cnotmatch $unseen) { return $Text }
    $parts = foreach ($unit in ($Text -replace '[\r\n\t]+', ' ').ToCharArray()) {
        if ([string] $unit -cmatch $unseen) { '\u{0:x4}' -f [int] $unit } else { [string] $unit }
    }
    return @($parts) -join ''
}

function Format-State {
    <#
    .SYNOPSIS
    Writes a state for a reader, such as RequestDisposition = 0x101, or RequestDisposition absent.
    .PARAMETER State
    The state.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [hashtable] $State)
    $parts = foreach ($name in @($State.psbase.Keys | Sort-Object)) {
        if ($null -eq $State[$name]) { "$name absent" }
        else { "$name = $(Format-StateValue -Name $name -Value $State[$name])" }
    }
    return @($parts) -join ', '
}

function Format-StateValue {
    <#
    .SYNOPSIS
    Writes one value of a state: numbers in hexadecimal as certutil does, for most are flags; revisions are counted.
    Of a DACL it gives the number of its entries and the begin of its SHA-256.
    .PARAMETER Name
    The name of the value.
    .PARAMETER Value
    Its text.
    #>
    [OutputType([string])]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Value
    )
    if ($Name -eq 'nTSecurityDescriptor') {
        $bytes = [System.Convert]::FromBase64String($Value)
        # Header of 20 bytes, then the DACL, which holds AceCount at 4 ([MS-DTYP] 2.4.6, 2.4.5).
        $count = if ($bytes.Length -gt 24) { [System.BitConverter]::ToUInt16($bytes, 24) } else { 'no' }
        $digest = [System.Security.Cryptography.SHA256]::Create().ComputeHash($bytes)
        return "DACL of $count entries (sha256 $([System.BitConverter]::ToString($digest, 0, 4)))"
    }
    if ($Value -notmatch '^-?[0-9]{1,10}$' -or $Name -like '*Revision') { return $Value }
    return '0x{0:X}' -f ([long] $Value -band 0xFFFFFFFFL)
}

function Test-ChangeNeeded {
    <#
    .SYNOPSIS
    Says whether there is something left to change; throws when the state is neither as approved nor as wanted.
    .PARAMETER Address
    What the state is of, for the error.
    .PARAMETER Now
    The state that was read.
    .PARAMETER Before
    The approved state.
    .PARAMETER After
    The wanted state.
    #>
    [OutputType([bool])]
    param(
        [Parameter(Mandatory = $true)] [string] $Address,
        [Parameter(Mandatory = $true)] [hashtable] $Now,
        [Parameter(Mandatory = $true)] [hashtable] $Before,
        [Parameter(Mandatory = $true)] [hashtable] $After
    )
    if (Test-SameState -Now $Now -Wanted $After) {
        Write-VerboseText -Text "$Address is already as wanted, nothing is written"
        return $false
    }
    if (Test-SameState -Now $Now -Wanted $Before) { return $true }
    $expected = Format-State -State $Before
    $message = "${Address}: expected $expected; now $(Format-State -State $Now); wanted $(Format-State -State $After)."
    throw (New-StateError -Id 'RemediateDrift' -Message $message)
}

function New-StateError {
    <#
    .SYNOPSIS
    Makes an error to throw, with an identity that a program can decide on whatever the language.
    .DESCRIPTION
    Identities: RemediateRefused, nothing was written; RemediateDrift, the same, for the state is another than approved;
    RemediateFailed, a command that writes failed; RemediateNotAsWritten, what was read back is not what was written;
    RemediateNoAnswer, it was done, and the service that runs did not answer in time.
    .PARAMETER Id
    The identity, which becomes the FullyQualifiedErrorId.
    .PARAMETER Message
    What happened.
    #>
    [OutputType([System.Management.Automation.ErrorRecord])]
    param(
        [Parameter(Mandatory = $true)]
        [ValidateSet('RemediateRefused', 'RemediateDrift', 'RemediateFailed', 'RemediateNotAsWritten',
            'RemediateNoAnswer')]
        [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Message
    )
    $exception = [System.InvalidOperationException]::new($Message)
    $category = [System.Management.Automation.ErrorCategory]::InvalidOperation
    return [System.Management.Automation.ErrorRecord]::new($exception, $Id, $category, $null)
}

function Confirm-StateWritten {
    <#
    .SYNOPSIS
    Throws when what was read back is not what was written.
    .PARAMETER Address
    What the state is of, for the error.
    .PARAMETER Now
    The state that was read back.
    .PARAMETER Wanted
    The state that was written.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Address,
        [Parameter(Mandatory = $true)] [hashtable] $Now,
        [Parameter(Mandatory = $true)] [hashtable] $Wanted
    )
    if (Test-SameState -Now $Now -Wanted $Wanted) { Write-VerboseText -Text "${Address}: read back as wanted"; return }
    $found = Format-State -State $Now
    $message = "${Address}: written, but it reads back as $found; wanted $(Format-State -State $Wanted)."
    throw (New-StateError -Id 'RemediateNotAsWritten' -Message $message)
}

function Invoke-WritingProgram {
    <#
    .SYNOPSIS
    Runs a program that changes something; throws, with its HRESULT and its last line, when it ends with a failure.
    .PARAMETER Program
    The program.
    .PARAMETER Arguments
    Its arguments.
    #>
    param([Parameter(Mandatory = $true)] [string] $Program, [Parameter(Mandatory = $true)] [string[]] $Arguments)
    $command = "$Program $($Arguments -join ' ')"
    Write-VerboseText -Text "running $command"
    $answer = Invoke-Program -Program $Program -Arguments $Arguments
    if ($answer.Code -eq '0x00000000') { return }
    $said = @($answer.Lines | Where-Object -FilterScript { $_.Trim() -ne '' } | Select-Object -Last 1) -join ''
    throw (New-StateError -Id 'RemediateFailed' -Message "$command failed with $($answer.Code). $said".Trim())
}
