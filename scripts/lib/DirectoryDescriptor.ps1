function Get-DescriptorSid {
    <#
    .SYNOPSIS
    Finds the SIDs in a security descriptor: owner, group and the entries of the DACL, in hexadecimal.
    .DESCRIPTION
    Read by hand after [MS-DTYP] 2.4.6, for the classes of .NET for it leave entries out that they do not know.
    A descriptor that is torn names nobody.
    .PARAMETER Descriptor
    The descriptor as base64 text.
    #>
    param([Parameter(Mandatory = $true)] [string] $Descriptor)
    $bytes = [System.Convert]::FromBase64String($Descriptor)
    try {
        $sids = foreach ($field in 4, 8) {
            $at = [System.BitConverter]::ToInt32($bytes, $field)
            if ($at -ne 0) { Get-SidAt -Bytes $bytes -Offset $at }
        }
        $dacl = [System.BitConverter]::ToInt32($bytes, 16)
        $present = ([System.BitConverter]::ToUInt16($bytes, 2) -band 4) -ne 0
        $named = if ($present -and $dacl -ne 0) { Get-AclSid -Bytes $bytes -Offset $dacl }
    }
    catch { return }
    return @($sids) + @($named)
}

function Get-AclSid {
    <#
    .SYNOPSIS
    Finds the SIDs in the entries of an access control list ([MS-DTYP] 2.4.5), in hexadecimal.
    .PARAMETER Bytes
    The descriptor.
    .PARAMETER Offset
    Where the list begins.
    #>
    param([Parameter(Mandatory = $true)] [byte[]] $Bytes, [Parameter(Mandatory = $true)] [int] $Offset)
    $count = [System.BitConverter]::ToUInt16($Bytes, $Offset + 4)
    $at = $Offset + 8
    for ($number = 0; $number -lt $count; $number++) {
        $place = Get-AceSidPlace -Bytes $Bytes -Offset $at
        if ($place -ne 0) { Get-SidAt -Bytes $Bytes -Offset $place }
        $size = [System.BitConverter]::ToUInt16($Bytes, $at + 2)
        if ($size -lt 4) { throw 'an entry is too small' }
        $at += $size
    }
}

function Get-AceSidPlace {
    <#
    .SYNOPSIS
    Says where the SID of an access control entry is; 0 for a type whose layout is not known.
    .DESCRIPTION
    [MS-DTYP] 2.4.4: behind header and mask; in object entries behind the flags and the GUIDs that these announce.
    .PARAMETER Bytes
    The descriptor.
    .PARAMETER Offset
    Where the entry begins.
    #>
    param([Parameter(Mandatory = $true)] [byte[]] $Bytes, [Parameter(Mandatory = $true)] [int] $Offset)
    $type = $Bytes[$Offset]
    if ($type -eq 4 -or $type -gt 0x15) { return 0 }
    if (@(5, 6, 7, 8, 11, 12, 15, 16) -notcontains $type) { return $Offset + 8 }
    $flags = $Bytes[$Offset + 8]
    return $Offset + 12 + 16 * ($flags -band 1) + 8 * ($flags -band 2)
}

function Get-SidAt {
    <#
    .SYNOPSIS
    Reads a SID ([MS-DTYP] 2.4.2.2) in hexadecimal. Throws when it is cut off.
    .PARAMETER Bytes
    The bytes it stands in.
    .PARAMETER Offset
    Where it begins.
    #>
    param([Parameter(Mandatory = $true)] [byte[]] $Bytes, [Parameter(Mandatory = $true)] [int] $Offset)
    $size = 8 + 4 * $Bytes[$Offset + 1]
    $sid = [byte[]]::new($size)
    [System.Array]::Copy($Bytes, $Offset, $sid, 0, $size)
    return ConvertTo-HexText -Bytes $sid
}

function ConvertTo-AccountSid {
    <#
    .SYNOPSIS
    Makes the SID of an account or group of a domain, in hexadecimal.
    .PARAMETER DomainSid
    The SID of the domain as base64 text.
    .PARAMETER Rid
    The relative identifier.
    #>
    param([Parameter(Mandatory = $true)] [string] $DomainSid, [Parameter(Mandatory = $true)] [int] $Rid)
    $bytes = [System.Convert]::FromBase64String($DomainSid)
    $bytes[1]++
    return ConvertTo-HexText -Bytes ([byte[]] ($bytes + [System.BitConverter]::GetBytes($Rid)))
}

function Get-BroadSid {
    <#
    .SYNOPSIS
    Gives the SIDs of Authenticated Users, Everyone, Domain Users and Domain Computers, in hexadecimal.
    .PARAMETER Domain
    The fact of the domain.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Domain)
    '01010000000000050b000000'
    '010100000000000100000000'
    if (-not $Domain.ContainsKey('value')) { return }
    foreach ($head in @(Get-EntryOctet -Entry $Domain.value -Name 'objectSid')) {
        foreach ($rid in 513, 515) { ConvertTo-AccountSid -DomainSid $head -Rid $rid }
    }
}

function Get-NamedSid {
    <#
    .SYNOPSIS
    Gives every SID in the descriptors of enrollment services and of templates, published or not.
    .PARAMETER Services
    The entries below CN=Public Key Services.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Services)
    foreach ($one in $Services) {
        $classes = @(Get-EntryText -Entry $one -Name 'objectClass')
        $hasHolders = $classes -contains 'pKIEnrollmentService' -or $classes -contains 'pKICertificateTemplate'
        if (-not $hasHolders) { continue }
        foreach ($descriptor in @(Get-EntryOctet -Entry $one -Name 'nTSecurityDescriptor')) {
            Get-DescriptorSid -Descriptor $descriptor
        }
    }
}
