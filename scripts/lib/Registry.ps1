function Get-RegistryKey {
    <#
    .SYNOPSIS
    Opens a registry key for reading; nothing when it does not exist. Refused access is an exception.
    .PARAMETER Key
    Its path, such as HKLM:\SOFTWARE\Microsoft.
    #>
    param([Parameter(Mandatory = $true)] [string] $Key)
    try { return Get-Item -LiteralPath $Key -ErrorAction Stop }
    catch [System.Management.Automation.ItemNotFoundException] { return $null }
}

function Get-RegistryFact {
    <#
    .SYNOPSIS
    Reads a registry value as a fact: absent without key or value, unreadable when its type is another than expected.
    .PARAMETER Key
    The path of the key.
    .PARAMETER Name
    The name of the value; the empty name is the default value.
    .PARAMETER Kind
    The expected type.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Key,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Name,
        [Parameter(Mandatory = $true)] [ValidateSet('DWord', 'String', 'MultiString', 'Binary')] [string] $Kind
    )
    return Get-Fact -Reading {
        $opened = Get-RegistryKey -Key $Key
        if ($null -eq $opened -or $opened.GetValueNames() -notcontains $Name) { return New-AbsentFact }
        $found = [string] $opened.GetValueKind($Name)
        if ($found -ne $Kind) { throw "$Key\$Name is of type $found where $Kind is expected" }
        return ConvertTo-RegistryFact -Data $opened.GetValue($Name) -Kind $Kind
    }
}

function ConvertTo-RegistryFact {
    <#
    .SYNOPSIS
    Makes a fact of the data of a registry value: unsigned number, text, list of texts, base64 text.
    .PARAMETER Data
    What GetValue gave.
    .PARAMETER Kind
    The type of the value.
    #>
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [AllowEmptyCollection()] [object] $Data,
        [Parameter(Mandatory = $true)] [string] $Kind
    )
    switch ($Kind) {
        'DWord' { return New-ValueFact -Value (ConvertTo-UnsignedNumber -Number $Data) }
        'MultiString' { return New-ListFact -Items ([string[]] $Data) }
        'Binary' { return New-ValueFact -Value ([System.Convert]::ToBase64String([byte[]] $Data)) }
        default { return New-ValueFact -Value ([string] $Data) }
    }
}

function ConvertTo-UnsignedNumber {
    <#
    .SYNOPSIS
    Gives a REG_DWORD as the number without sign that it is.
    .PARAMETER Number
    What GetValue gave, negative from 0x80000000 on.
    #>
    param([Parameter(Mandatory = $true)] [long] $Number)
    return ($Number -band 0xFFFFFFFFL)
}

function Get-RegistryNumber {
    <#
    .SYNOPSIS
    Reads a REG_DWORD of an open key, 0 when it is absent. Another type is an exception.
    .PARAMETER OpenKey
    The open key.
    .PARAMETER Name
    The name of the value.
    #>
    param([Parameter(Mandatory = $true)] [object] $OpenKey, [Parameter(Mandatory = $true)] [string] $Name)
    if ($OpenKey.GetValueNames() -notcontains $Name) { return 0 }
    $kind = [string] $OpenKey.GetValueKind($Name)
    if ($kind -ne 'DWord') { throw "$($OpenKey.Name)\$Name is of type $kind where DWord is expected" }
    return ConvertTo-UnsignedNumber -Number $OpenKey.GetValue($Name)
}

function Get-RegistryText {
    <#
    .SYNOPSIS
    Reads a value of an open key as text, whatever its type; the empty text when it is absent.
    .PARAMETER OpenKey
    The open key.
    .PARAMETER Name
    The name of the value; the empty name is the default value.
    #>
    param(
        [Parameter(Mandatory = $true)] [object] $OpenKey,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Name
    )
    if ($OpenKey.GetValueNames() -notcontains $Name) { return '' }
    return ([string[]] @($OpenKey.GetValue($Name))) -join ' '
}

function Get-RegistrySubkeyName {
    <#
    .SYNOPSIS
    Lists the names of the keys directly below a key; none when the key does not exist.
    .PARAMETER Key
    The path of the key.
    #>
    param([Parameter(Mandatory = $true)] [string] $Key)
    $opened = Get-RegistryKey -Key $Key
    if ($null -eq $opened) { return @() }
    return [string[]] $opened.GetSubKeyNames()
}
