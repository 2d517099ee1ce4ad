function Confirm-Engine {
    <#
    .SYNOPSIS
    Refuses a 32-bit PowerShell on 64-bit Windows, and a PowerShell that is not in full language mode.
    .DESCRIPTION
    The first sees another part of the registry; the second cannot call what these scripts call. Ask this first.
    .EXAMPLE
    Confirm-Engine
    #>
    param()
    $ErrorActionPreference = 'Stop'
    $mode = "$($ExecutionContext.SessionState.LanguageMode)"
    if ($mode -ne 'FullLanguage') {
        throw "This PowerShell runs in $mode, where these scripts cannot work. Run them where FullLanguage is allowed."
    }
    if ($env:PROCESSOR_ARCHITEW6432) {
        throw 'This is the 32-bit PowerShell of a 64-bit Windows. Run the script in the 64-bit Windows PowerShell.'
    }
}

function Confirm-HostIdentity {
    <#
    .SYNOPSIS
    Refuses every host but the one that the plan names, by its name and its MachineGuid.
    .PARAMETER ComputerName
    The name of the host, without the domain.
    .PARAMETER MachineGuid
    The MachineGuid that was read when the plan was made.
    .EXAMPLE
    Confirm-HostIdentity -ComputerName 'CA01' -MachineGuid '0f3c5b0e-5d5e-4a52-9d6a-5b0d2c1f7a11'
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $ComputerName,
        [Parameter(Mandatory = $true)] [string] $MachineGuid
    )
    $ErrorActionPreference = 'Stop'
    if ($env:COMPUTERNAME -ne $ComputerName) {
        $message = "This script is for $ComputerName; this is $env:COMPUTERNAME."
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
    $key = Get-RegistryKey -Key 'HKLM:\SOFTWARE\Microsoft\Cryptography'
    $found = if ($null -eq $key) { '' } else { Get-RegistryText -OpenKey $key -Name 'MachineGuid' }
    if ($found -eq $MachineGuid) { return }
    $shown = if ($found -eq '') { 'none' } else { $found }
    $message = "This is another machine called ${ComputerName}: MachineGuid $shown, planned for $MachineGuid."
    throw (New-StateError -Id 'RemediateRefused' -Message $message)
}

function Confirm-PlanTime {
    <#
    .SYNOPSIS
    Refuses an expired plan, and every time outside the window that was agreed. With -WhatIf it only says so.
    .PARAMETER ExpiresAt
    When the plan expires, as 2026-11-29T10:00:00Z.
    .PARAMETER NotBefore
    When the window opens, in the same form; empty without one.
    .PARAMETER NotAfter
    When the window closes, in the same form; empty without one.
    .PARAMETER Unfinished
    Tells what an earlier run of the plan has left half done, which a refusal says first.
    .PARAMETER Now
    The time that is compared.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $ExpiresAt,
        [AllowEmptyString()] [string] $NotBefore = '',
        [AllowEmptyString()] [string] $NotAfter = '',
        [scriptblock] $Unfinished = {},
        [datetime] $Now = [datetime]::UtcNow
    )
    $ErrorActionPreference = 'Stop'
    $time = Format-UtcTime -Time $Now
    foreach ($text in @($ExpiresAt, $NotBefore, $NotAfter)) {
        if ($text -notmatch '^([0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z)?$') {
            throw (New-StateError -Id 'RemediateRefused' -Message "'$text' is not a time like 2026-11-29T10:00:00Z.")
        }
    }
    $message = ''
    # Times of this one form stand in the order of their texts.
    if ([string]::CompareOrdinal($time, $ExpiresAt) -ge 0) {
        $message = "The plan expired at $ExpiresAt. Make a new one."
    }
    elseif ($NotBefore -ne '' -and [string]::CompareOrdinal($time, $NotBefore) -lt 0) {
        $message = "The window for this change opens at $NotBefore; it is $time now."
    }
    elseif ($NotAfter -ne '' -and [string]::CompareOrdinal($time, $NotAfter) -ge 0) {
        $message = "The window for this change closed at $NotAfter; it is $time now."
    }
    if ($message -eq '') { return }
    if ($left = [string] (& $Unfinished)) { $message = "$left This run is refused: $message" }
    if (-not $WhatIfPreference) { throw (New-StateError -Id 'RemediateRefused' -Message $message) }
    Write-Warning -Message (ConvertTo-PrintableText -Text "$message Without -WhatIf this would be the end of it.")
}

function ConvertTo-UtcTime {
    <#
    .SYNOPSIS
    Reads a UTC time such as 2026-11-29T10:00:00Z, whatever the language of Windows. Another form throws.
    .PARAMETER Text
    The text.
    #>
    [OutputType([datetime])]
    param([Parameter(Mandatory = $true)] [string] $Text)
    $styles = [System.Globalization.DateTimeStyles]::AssumeUniversal -bor
        [System.Globalization.DateTimeStyles]::AdjustToUniversal
    $culture = [System.Globalization.CultureInfo]::InvariantCulture
    try { return [datetime]::ParseExact($Text, 'yyyy-MM-ddTHH:mm:ssZ', $culture, $styles) }
    catch { throw (New-StateError -Id 'RemediateRefused' -Message "'$Text' is not a time like 2026-11-29T10:00:00Z.") }
}

function Read-Token {
    <#
    .SYNOPSIS
    Reads from whoami.exe as whom this runs: Account as DOMAIN\user, User, its SID, and those of Groups. Never throws.
    .DESCRIPTION
    Where it cannot be read, Why says so. Rows are known by their cells, for names are translated: a user has name
    and SID; a group has name, type, SID and attributes.
    .EXAMPLE
    Read-Token
    #>
    [OutputType([hashtable])]
    param()
    $account, $user, $groups, $why = '', '', @(), ''
    try {
        $answer = Invoke-Program -Program 'whoami.exe' -Arguments @('/user', '/groups', '/fo', 'csv', '/nh')
        if ($answer['Code'] -ne '0x00000000') { throw "whoami.exe ended with $($answer['Code'])." }
        foreach ($line in $answer['Lines']) {
            # No name in Windows has a quotation mark: every other part is a cell, two of them make five parts.
            $parts = $line.Split([char] '"')
            if ($parts.Count -eq 5) { $account, $user = $parts[1], $parts[3] }
            elseif ($parts.Count -gt 5) { $groups += $parts[5] }
        }
    }
    catch { $why = $_.Exception.Message }
    return @{ Account = $account; User = $user; Groups = $groups; Why = $why }
}

function Confirm-Administrator {
    <#
    .SYNOPSIS
    Refuses whoever is not a local administrator whose rights are in force.
    .DESCRIPTION
    By SID, never by name: the token holds S-1-5-32-544 and an integrity of at least S-1-16-12288. Without elevation
    Windows leaves the first in the token, for denials only, and lowers the second.
    .PARAMETER Token
    What Read-Token has read.
    .EXAMPLE
    Confirm-Administrator
    #>
    param([hashtable] $Token = (Read-Token))
    $ErrorActionPreference = 'Stop'
    if ($Token['Why'] -ne '') {
        $message = "The rights of this account cannot be read: $($Token['Why'])"
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
    if ($Token['Groups'] -notcontains 'S-1-5-32-544') {
        $message = 'This account is no local administrator of this host (S-1-5-32-544).'
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
    foreach ($group in $Token['Groups']) {
        if ($group -like 'S-1-16-*' -and [int] ($group -replace 'S-1-16-') -ge 12288) { return }
    }
    $message = 'This PowerShell is not elevated. Start it with "Run as administrator".'
    throw (New-StateError -Id 'RemediateRefused' -Message $message)
}

function Confirm-CaIdentity {
    <#
    .SYNOPSIS
    Refuses every CA but the one that the plan names, by the thumbprint of its current certificate.
    .PARAMETER Thumbprint
    The SHA-1 of the CA certificate in hexadecimal, with or without blanks.
    #>
    param([Parameter(Mandatory = $true)] [string] $Thumbprint)
    $ErrorActionPreference = 'Stop'
    $configuration = Get-RegistryKey -Key (Get-ActiveCaKey)
    $hashes = @()
    if ($null -ne $configuration -and $configuration.GetValueNames() -contains 'CACertHash') {
        $hashes = @([string[]] $configuration.GetValue('CACertHash'))
    }
    $current = if ($hashes.Count -gt 0) { $hashes[-1] -replace ' ' } else { '' }
    if ($current -ne '' -and $current -eq ($Thumbprint -replace ' ')) { return }
    $shown = if ($current -eq '') { 'not to be read' } else { $current }
    $message = "This is another CA: its certificate is $shown, planned for $Thumbprint."
    throw (New-StateError -Id 'RemediateRefused' -Message $message)
}
