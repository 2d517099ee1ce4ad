function Test-SameTemplateState {
    <#
    .SYNOPSIS
    Says whether a template's state is as wanted; as Test-SameState, but a DACL may stand in the order of the server.
    .PARAMETER Now
    The state that was read.
    .PARAMETER Wanted
    The state that is wanted. What it does not name does not matter.
    #>
    [OutputType([bool])]
    param(
        [Parameter(Mandatory = $true)] [hashtable] $Now,
        [Parameter(Mandatory = $true)] [hashtable] $Wanted
    )
    return Test-SameState -Now (ConvertTo-KnownState -State $Now -Known @($Wanted)) -Wanted $Wanted
}

function ConvertTo-KnownState {
    <#
    .SYNOPSIS
    Copies a template's state; a DACL that is the same as one of the known states' comes as it stands there.
    .PARAMETER State
    The state that was read.
    .PARAMETER Known
    States, such as the approved and the wanted one; the first that fits counts.
    #>
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [hashtable] $State,
        [AllowEmptyCollection()] [hashtable[]] $Known = @()
    )
    $name, $copy = 'nTSecurityDescriptor', $State.Clone()
    foreach ($one in $Known) {
        if ($null -eq $State[$name] -or $null -eq $one[$name]) { continue }
        if (-not (Test-SameDacl -Now $State[$name] -Wanted $one[$name])) { continue }
        $copy[$name] = $one[$name]
        break
    }
    return $copy
}

function ConvertTo-DaclText {
    <#
    .SYNOPSIS
    Makes base64 text of the DACL part of a security descriptor: header and DACL, no owner, group or SACL.
    .DESCRIPTION
    [MS-DTYP] 2.4.6. What a server answers about the parts that were not asked for is left out, so that the same DACL
    always has the same text.
    .PARAMETER Descriptor
    The bytes of a self-relative descriptor.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [byte[]] $Descriptor)
    $part = [byte[]]::new(20)
    $part[0], $part[1] = $Descriptor[0], $Descriptor[1]
    # Self-relative, RM control valid, and the four flags of the DACL with SERVER_SECURITY and DACL_TRUSTED.
    $control = [System.BitConverter]::ToUInt16($Descriptor, 2) -band 0xD5CC
    $part[2], $part[3] = ($control -band 0xFF), ($control -shr 8)
    $at = [System.BitConverter]::ToInt32($Descriptor, 16)
    if (($control -band 4) -eq 0 -or $at -eq 0) { return [System.Convert]::ToBase64String($part) }
    $size = [System.BitConverter]::ToUInt16($Descriptor, $at + 2)
    $part[16] = 20
    $dacl = [byte[]]::new($size)
    [System.Array]::Copy($Descriptor, $at, $dacl, 0, $size)
    return [System.Convert]::ToBase64String([byte[]] ($part + $dacl))
}

function Get-DaclEntry {
    <#
    .SYNOPSIS
    Lists the entries of a DACL in their order, each in hexadecimal.
    .PARAMETER Descriptor
    The bytes of a self-relative descriptor.
    #>
    param([Parameter(Mandatory = $true)] [byte[]] $Descriptor)
    $at = [System.BitConverter]::ToInt32($Descriptor, 16)
    if ($at -eq 0) { return }
    $count = [System.BitConverter]::ToUInt16($Descriptor, $at + 4)
    $at += 8
    for ($number = 0; $number -lt $count; $number++) {
        $size = [System.BitConverter]::ToUInt16($Descriptor, $at + 2)
        if ($size -lt 4) { throw (New-DirectoryError -Message 'An entry of the DACL is too small.') }
        [System.BitConverter]::ToString($Descriptor, $at, $size)
        $at += $size
    }
}

function Test-SameDacl {
    <#
    .SYNOPSIS
    Says whether two DACLs are the same, byte for byte or but for the order in which the server keeps its entries.
    .DESCRIPTION
    From forest functional level 2003 on, a domain controller sorts the entries of a DACL in canonical form when it is
    written ([MS-ADTS] 6.1.3.1), and works out the inherited ones by itself (6.1.3.3); Samba keeps them as they were
    sent. So the denying entries, the allowing ones and the inherited ones are compared as sets, each by its bytes.
    A DACL in another form has one order only.
    .PARAMETER Now
    The DACL that was read, as base64 text.
    .PARAMETER Wanted
    The DACL that is wanted, as base64 text.
    #>
    [OutputType([bool])]
    param([Parameter(Mandatory = $true)] [string] $Now, [Parameter(Mandatory = $true)] [string] $Wanted)
    if ($Now -ceq $Wanted) { return $true }
    $shapes = foreach ($text in $Now, $Wanted) {
        $bytes = [System.Convert]::FromBase64String($text)
        # DACL_PRESENT and DACL_PROTECTED decide what the entries mean; a NULL DACL is not an empty one.
        $control = [System.BitConverter]::ToUInt16($bytes, 2) -band 0x1004
        $isNull = [System.BitConverter]::ToInt32($bytes, 16) -eq 0
        $entries = @(Get-DaclEntry -Descriptor $bytes)
        "$control $isNull $(@(ConvertTo-ServerOrder -Entry $entries) -join ' ')"
    }
    return $shapes[0] -ceq $shapes[1]
}

function ConvertTo-ServerOrder {
    <#
    .SYNOPSIS
    Puts the entries of a DACL in canonical form in one fixed order; those of another form stay as they are.
    .DESCRIPTION
    Canonical is: what denies, what allows, what is inherited ([MS-DTYP] 2.4.5).
    .PARAMETER Entry
    The entries, as Get-DaclEntry gives them.
    #>
    param([AllowEmptyCollection()] [string[]] $Entry)
    # The first byte is the type, the second the flags ([MS-DTYP] 2.4.4.1): 1, 6, A and C deny, 0x10 is INHERITED_ACE.
    $keyed = @(foreach ($one in $Entry) {
            $rank = if ([System.Convert]::ToInt32($one.Substring(3, 2), 16) -band 0x10) { 2 }
            elseif (@('01', '06', '0A', '0C') -contains $one.Substring(0, 2)) { 0 }
            else { 1 }
            "$rank $one"
        })
    $ranks = @(foreach ($one in $keyed) { $one.Substring(0, 1) })
    $order = [string[]] $ranks
    [System.Array]::Sort($order, [System.StringComparer]::Ordinal)
    if (($ranks -join '') -cne ($order -join '')) { return $Entry }
    $sorted = [string[]] $keyed
    [System.Array]::Sort($sorted, [System.StringComparer]::Ordinal)
    return $sorted
}

function Get-AttributeStamp {
    <#
    .SYNOPSIS
    Reads from replPropertyMetaData how often each attribute was written (Version) and by which change here (Usn).
    .DESCRIPTION
    A header of 16 bytes, version 1 and the number of entries; then 48 bytes an attribute: its ATTRTYP, what
    PROPERTY_META_DATA_EXT holds ([MS-DRSR] 5.155: version, time, invocationId, originating USN), and the local USN. The
    whole is not specified; a blob that is laid out otherwise counts as not readable. What one modify writes has one
    local USN. An attribute that was never written has version 0.
    Returns $null when the account cannot read it, or when it holds something else.
    .PARAMETER Metadata
    The bytes of replPropertyMetaData, or $null.
    .PARAMETER Name
    The attributes.
    #>
    param([AllowNull()] [byte[]] $Metadata, [Parameter(Mandatory = $true)] [string[]] $Name)
    if ($null -eq $Metadata -or $Metadata.Length -lt 16) { return $null }
    $count = [System.BitConverter]::ToInt32($Metadata, 8)
    if ([System.BitConverter]::ToInt32($Metadata, 0) -ne 1 -or $Metadata.Length -lt 16 + 48 * $count) { return $null }
    $found = @{}
    for ($at = 16; $at -lt 16 + 48 * $count; $at += 48) {
        $stamp = @{ Version = [System.BitConverter]::ToInt32($Metadata, $at + 4) }
        $stamp.Usn = [System.BitConverter]::ToInt64($Metadata, $at + 40)
        $found[[System.BitConverter]::ToInt32($Metadata, $at)] = $stamp
    }
    $stamps = @{}
    foreach ($one in $Name) {
        $number = Get-AttributeNumber -Name $one
        if ($null -eq $number) { return $null }
        $stamps[$one] = if ($found.ContainsKey($number)) { $found[$number] } else { @{ Version = 0; Usn = 0L } }
    }
    return $stamps
}

function Get-AttributeNumber {
    <#
    .SYNOPSIS
    Gives the ATTRTYP of an attribute of templates; nothing for another one.
    .DESCRIPTION
    The last arc of attributeID ([MS-ADA1], [MS-ADA2], [MS-ADA3]) below the index of its prefix in the table that every
    domain controller begins with: 9 for 1.2.840.113556.1.4, 2 for 1.2.840.113556.1.2 ([MS-ADTS] 3.1.1.2.6, [MS-DRSR]
    5.16.4).
    .PARAMETER Name
    The attribute.
    #>
    param([Parameter(Mandatory = $true)] [string] $Name)
    $arcs = @{
        'flags' = 38; 'revision' = 145; 'pKIDefaultKeySpec' = 1327; 'pKIMaxIssuingDepth' = 1329
        'msPKI-RA-Signature' = 1429; 'msPKI-Enrollment-Flag' = 1430; 'msPKI-Private-Key-Flag' = 1431
        'msPKI-Certificate-Name-Flag' = 1432; 'msPKI-Minimal-Key-Size' = 1433
        'msPKI-Template-Schema-Version' = 1434; 'msPKI-Template-Minor-Revision' = 1435
    }
    if ($Name -eq 'nTSecurityDescriptor') { return 0x00020000 + 281 }
    if ($arcs.ContainsKey($Name)) { return 0x00090000 + $arcs[$Name] }
}

function Confirm-TemplateWritten {
    <#
    .SYNOPSIS
    Checks after a write that the template reads back as wanted and that no write was lost on the way.
    .DESCRIPTION
    Returns checked, or not checked and why; throws RemediateNotAsWritten and says whose write was overwritten.
    .PARAMETER Place
    The template and the server, for the error.
    .PARAMETER First
    What Read-Template returned before the write.
    .PARAMETER Second
    What it returned after it.
    .PARAMETER Before
    The approved state.
    .PARAMETER After
    The wanted state.
    #>
    [OutputType([string])]
    param(
        [Parameter(Mandatory = $true)] [string] $Place,
        [Parameter(Mandatory = $true)] [hashtable] $First,
        [Parameter(Mandatory = $true)] [hashtable] $Second,
        [Parameter(Mandatory = $true)] [hashtable] $Before,
        [Parameter(Mandatory = $true)] [hashtable] $After
    )
    $known = $null -ne $First.Stamps -and $null -ne $Second.Stamps
    foreach ($name in @($After.psbase.Keys | Sort-Object)) {
        $same = Test-SameTemplateState -Now $Second.State -Wanted @{ $name = $After[$name] }
        $message = "${Place}: $name was written, but it does not read back so."
        if ($same) {
            if (-not $known -or $Before[$name] -ceq $After[$name]) { continue }
            $versions = $First.Stamps[$name].Version, $Second.Stamps[$name].Version
            # Active Directory counts a modify once, Samba each of its parts: delete and add. A descriptor is one part.
            $swapped = $null -ne $Before[$name] -and $null -ne $After[$name] -and $name -ne 'nTSecurityDescriptor'
            $rise = $versions[1] - $versions[0]
            if ($rise -eq 1 -or ($swapped -and $rise -eq 2)) { continue }
            $message = "${Place}: it was written, but not alone: $name rose from version $($versions -join ' to ')."
        }
        $message += " $(Format-LostWrite -Name $name -Same:$same -Stamps $Second.Stamps)"
        $message += " Now $(Format-State -State $Second.State); wanted $(Format-State -State $After)."
        throw (New-DirectoryError -Id 'RemediateNotAsWritten' -Message $message)
    }
    if ($known) { Write-VerboseText -Text "${Place}: reads back as wanted, each version as expected"; return 'checked' }
    return 'not checked: this account cannot read replPropertyMetaData, so a lost write would not be seen'
}

function Format-LostWrite {
    <#
    .SYNOPSIS
    Says whose write was overwritten, for an attribute that somebody else has written at the same time.
    .DESCRIPTION
    This script's modify wrote the minor revision too, and all that one modify writes has one local USN.
    .PARAMETER Name
    The attribute.
    .PARAMETER Same
    Says that the attribute reads back as wanted.
    .PARAMETER Stamps
    The stamps after the write, or $null.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [string] $Name, [switch] $Same, [AllowNull()] [hashtable] $Stamps)
    $revision = 'msPKI-Template-Minor-Revision'
    $theirs = "Somebody else's write to $Name came just before and was overwritten by this script:"
    $theirs += ' ask who changed the template (event 5136 of the domain controller) and make that change again.'
    $ours = "Somebody else has overwritten this script's write to $Name."
    if (-not $Same) {
        $alone = $null -ne $Stamps -and $Name -ne $revision -and $Stamps.ContainsKey($revision) -and
            $Stamps[$Name].Usn -eq $Stamps[$revision].Usn
        if ($alone) { return "The server has kept something else than was sent for $Name." }
        return $ours
    }
    if ($Name -ne $revision -and $Stamps.ContainsKey($revision) -and $Stamps[$Name].Usn -gt $Stamps[$revision].Usn) {
        return "Somebody else has written $Name again after this script, with the same result."
    }
    return $theirs
}
