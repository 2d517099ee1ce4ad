function Confirm-RequestRight {
    <#
    .SYNOPSIS
    Refuses an account that is known to lack the right to decide on requests of this CA, before anything is written.
    .DESCRIPTION
    Issue and Manage Certificates, in the registry value Security of the CA's configuration. Where that cannot be read,
    a warning says so, and the CA decides in the end.
    .PARAMETER Token
    What Read-Token has read.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Token)
    if ($Token.ContainsKey('RequestRight')) { return }
    $may, $why = $null, 'it is absent'
    try {
        $opened = Get-RegistryKey -Key (Get-ActiveCaKey)
        if ($null -ne $opened -and $opened.GetValueNames() -contains 'Security') {
            # CA_ACCESS_OFFICER (certadm.h; [MS-CSRA] 3.1.1.7)
            $may = Test-DescriptorRight -Descriptor ([byte[]] $opened.GetValue('Security')) -Token $Token -Right 2
            $why = 'it holds entries of a kind that is not known here'
        }
    }
    catch { $why = $_.Exception.Message }
    if ($may -eq $false) {
        $message = "$($Token['Account']) lacks the right Issue and Manage Certificates on this CA, which deciding " +
            'on a request needs. Have a CA administrator grant it, or run this as somebody who has it.'
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
    $Token['RequestRight'] = $may
    if ($null -ne $may) { return }
    $message = 'Whether this account has the right Issue and Manage Certificates on this CA cannot be seen'
    Write-Warning -Message "$message (its registry value Security: $why). The CA itself will tell."
}

function Test-DescriptorRight {
    <#
    .SYNOPSIS
    Says whether a security descriptor gives one right to an account: true, false, or nothing where it cannot be told.
    .DESCRIPTION
    Entries count in their order; the first that names the account or a group of it decides ([MS-DTYP] 2.5.3.2).
    .PARAMETER Descriptor
    The bytes of a self-relative descriptor.
    .PARAMETER Token
    What Read-Token has read.
    .PARAMETER Right
    The bit of the access mask.
    #>
    param(
        [Parameter(Mandatory = $true)] [byte[]] $Descriptor,
        [Parameter(Mandatory = $true)] [hashtable] $Token,
        [Parameter(Mandatory = $true)] [int] $Right
    )
    $sids = @($Token['Groups']) + @($Token['User'])
    # Without a DACL everybody may do everything.
    $control = [System.BitConverter]::ToUInt16($Descriptor, 2)
    if (($control -band 4) -eq 0 -or [System.BitConverter]::ToInt32($Descriptor, 16) -eq 0) { return $true }
    foreach ($entry in @(Get-DaclEntry -Descriptor $Descriptor)) {
        $read = Read-DaclEntry -Entry $entry
        # INHERIT_ONLY_ACE
        if (($read.Flags -band 8) -ne 0) { continue }
        if ($read.Sid -ne '' -and ($sids -notcontains $read.Sid -or ($read.Mask -band $Right) -eq 0)) { continue }
        if ($read.Type -eq 0) { return $true }
        if ($read.Type -eq 1) { return $false }
        return $null
    }
    return $false
}
