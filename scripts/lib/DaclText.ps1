function Read-DaclEntry {
    <#
    .SYNOPSIS
    Takes an access control entry apart: Type, Flags, Mask, Sid as S-1-..., Right (the GUID of an object entry).
    .DESCRIPTION
    [MS-DTYP] 2.4.4. Of an entry whose layout is not known Sid is the empty text.
    .PARAMETER Entry
    The entry in hexadecimal, as Get-DaclEntry gives it.
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [string] $Entry)
    $bytes = [byte[]] @(foreach ($pair in $Entry -split '-') { [System.Convert]::ToInt32($pair, 16) })
    $read = @{ Type = [int] $bytes[0]; Flags = [int] $bytes[1]; Mask = 0L; Sid = ''; Right = '' }
    $place = Get-AceSidPlace -Bytes $bytes -Offset 0
    if ($place -eq 0) { return $read }
    $read.Mask = [System.BitConverter]::ToInt32($bytes, 4) -band 0xFFFFFFFFL
    $read.Sid = ConvertTo-SidText -Bytes $bytes -Offset $place
    # Object entries, of which bit 0 of their own flags says that they hold an object type.
    if (@(5, 6, 7, 8, 11, 12, 15, 16) -contains $read.Type -and ($bytes[8] -band 1) -ne 0) {
        $read.Right = [string] [guid]::new([byte[]] $bytes[12..27])
    }
    return $read
}

function ConvertTo-SidText {
    <#
    .SYNOPSIS
    Writes a SID as S-1-5-... ([MS-DTYP] 2.4.2.1).
    .PARAMETER Bytes
    The bytes it stands in.
    .PARAMETER Offset
    Where it begins.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [byte[]] $Bytes, [Parameter(Mandatory = $true)] [int] $Offset)
    $authority = 0L
    foreach ($at in 2..7) { $authority = 256L * $authority + $Bytes[$Offset + $at] }
    $parts = @('S', $Bytes[$Offset], $authority)
    for ($number = 0; $number -lt $Bytes[$Offset + 1]; $number++) {
        $parts += [System.BitConverter]::ToInt32($Bytes, $Offset + 8 + 4 * $number) -band 0xFFFFFFFFL
    }
    return $parts -join '-'
}

function Format-DaclEntry {
    <#
    .SYNOPSIS
    Writes an access control entry for a reader: allow CONTOSO\CONN1$ (S-1-5-21-...-1105) Enroll.
    .PARAMETER Entry
    The entry in hexadecimal.
    .PARAMETER Account
    The names of accounts by their SIDs, as the plan knows them, or nothing.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [string] $Entry, [AllowNull()] [hashtable] $Account)
    $read = Read-DaclEntry -Entry $Entry
    $verb = @{ 0 = 'allow'; 1 = 'deny'; 5 = 'allow'; 6 = 'deny' }[$read.Type]
    if (-not $verb) { return "entry of type $($read.Type) for $($read.Sid) ($Entry)" }
    $text = "$verb $(Format-DaclAccount -Sid $read.Sid -Account $Account) $(Format-DaclRight -Entry $read)"
    # INHERITED_ACE and INHERIT_ONLY_ACE ([MS-DTYP] 2.4.4.1)
    if (($read.Flags -band 0x10) -ne 0) { $text += ', inherited' }
    if (($read.Flags -band 0x08) -ne 0) { $text += ', for objects below only' }
    return $text
}

function Format-DaclAccount {
    <#
    .SYNOPSIS
    Writes an account for a reader: its name, where the plan or Windows itself knows it, and its SID.
    .PARAMETER Sid
    The SID.
    .PARAMETER Account
    The names of accounts by their SIDs, or nothing.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Sid, [AllowNull()] [hashtable] $Account)
    $name = if ($null -ne $Account) { [string] $Account[$Sid] } else { '' }
    # [MS-DTYP] 2.4.2.4
    $known = @{
        'S-1-1-0' = 'Everyone'; 'S-1-5-11' = 'Authenticated Users'; 'S-1-5-18' = 'SYSTEM'
        'S-1-5-32-544' = 'Administrators'; 'S-1-5-10' = 'SELF'
    }
    if ($name -eq '') { $name = [string] $known[$Sid] }
    if ($name -eq '' -and $Sid -match '^S-1-5-21-[0-9]+-[0-9]+-[0-9]+-([0-9]+)$') {
        $groups = @{
            '512' = 'Domain Admins'; '513' = 'Domain Users'; '515' = 'Domain Computers'; '516' = 'Domain Controllers'
            '519' = 'Enterprise Admins'
        }
        $name = [string] $groups[$Matches[1]]
    }
    if ($name -eq '') { return $Sid }
    return "$name ($Sid)"
}

function Format-DaclRight {
    <#
    .SYNOPSIS
    Writes the rights of an access control entry of a template by the names that its permissions page has.
    .DESCRIPTION
    [MS-ADTS] 5.1.3.2; the rights Enroll and AutoEnroll are 5.1.3.2.1's Certificate-Enrollment and its companion.
    .PARAMETER Entry
    What Read-DaclEntry returned.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [hashtable] $Entry)
    $mask = $Entry.Mask
    $rights = @{
        '0e10c968-78fb-11d2-90d4-00c04f79dc55' = 'Enroll'; 'a05b8cc2-17bc-4802-a710-e7c15ab866a2' = 'Autoenroll'
    }
    # RIGHT_DS_CONTROL_ACCESS alone, for one right.
    if ($mask -eq 0x100 -and $Entry.Right -ne '') {
        if ($rights.ContainsKey($Entry.Right)) { return $rights[$Entry.Right] }
        return "extended right $($Entry.Right)"
    }
    $names = @()
    if (($mask -band 0xF01FF) -eq 0xF01FF -or ($mask -band 0x10000000) -ne 0) { $names += 'Full control'; $mask = 0L }
    foreach ($one in @(
            @(0x20094, 'Read'), @(0x20014, 'Read'), @(0x20, 'Write'), @(0x100, 'All extended rights')
            @(0x40000, 'Change permissions'), @(0x80000, 'Take ownership'), @(0x10000, 'Delete'))) {
        if (($mask -band $one[0]) -ne $one[0]) { continue }
        $names += $one[1]
        $mask = $mask -band (0xFFFFFFFFL -bxor $one[0])
    }
    if ($mask -ne 0) { $names += '0x{0:X}' -f $mask }
    $text = $names -join ' and '
    if ($Entry.Right -ne '') { $text += " on $($Entry.Right)" }
    return $text
}

function Compare-Dacl {
    <#
    .SYNOPSIS
    Says how two DACLs differ, one text for each entry: add allow ... Enroll, remove deny ... Read.
    .PARAMETER From
    The one DACL, as base64 text, or nothing where there is none.
    .PARAMETER To
    The other.
    .PARAMETER Account
    The names of accounts by their SIDs, or nothing.
    .PARAMETER Word
    What is said of an entry that only the other one has, and of one that only the first has.
    #>
    param(
        [AllowNull()] [AllowEmptyString()] [string] $From,
        [AllowNull()] [AllowEmptyString()] [string] $To,
        [AllowNull()] [hashtable] $Account,
        [string[]] $Word = @('add', 'remove')
    )
    $entries = @(foreach ($text in $From, $To) {
            $list = if ($text) { @(Get-DaclEntry -Descriptor ([System.Convert]::FromBase64String($text))) } else { @() }
            , @($list)
        })
    $told = @(foreach ($one in $entries[1]) {
            if ($entries[0] -notcontains $one) { "$($Word[0]) $(Format-DaclEntry -Entry $one -Account $Account)" }
        })
    $told += @(foreach ($one in $entries[0]) {
            if ($entries[1] -notcontains $one) { "$($Word[1]) $(Format-DaclEntry -Entry $one -Account $Account)" }
        })
    if ($told.Count -eq 0 -and $From -cne $To) { return 'the same entries, with another order or inheritance' }
    return $told
}
