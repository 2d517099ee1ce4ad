function Get-DirectoryAttributeName {
    <#
    .SYNOPSIS
    Names the attributes that are read of each kind of object, and those whose values are binary.
    .PARAMETER Of
    The kind of object; Binary for the attributes of the syntaxes String(Octet), String(Sid) and String(NT-Sec-Desc).
    #>
    param(
        [Parameter(Mandatory = $true)]
        [ValidateSet('Domain', 'CrossReference', 'Services', 'Principal', 'Binary')] [string] $Of
    )
    $names = @{
        Domain         = 'objectClass', 'objectSid', 'objectGUID', 'name', 'msDS-Behavior-Version'
        CrossReference = 'objectClass', 'cn', 'nCName', 'dnsRoot', 'nETBIOSName', 'systemFlags'
        Services       = @(
            'objectClass', 'objectGUID', 'cn', 'displayName', 'whenCreated', 'whenChanged', 'flags', 'revision'
            'pKIDefaultKeySpec', 'pKIKeyUsage', 'pKIMaxIssuingDepth', 'pKICriticalExtensions', 'pKIExpirationPeriod'
            'pKIOverlapPeriod', 'pKIExtendedKeyUsage', 'pKIDefaultCSPs', 'msPKI-RA-Signature', 'msPKI-RA-Policies'
            'msPKI-RA-Application-Policies', 'msPKI-Enrollment-Flag', 'msPKI-Private-Key-Flag'
            'msPKI-Certificate-Name-Flag', 'msPKI-Minimal-Key-Size', 'msPKI-Template-Schema-Version'
            'msPKI-Template-Minor-Revision', 'msPKI-Cert-Template-OID', 'msPKI-Supersede-Templates'
            'msPKI-Certificate-Policy', 'msPKI-Certificate-Application-Policy', 'msPKI-Enrollment-Servers'
            'msPKI-OID-Attribute', 'msDS-OIDToGroupLink', 'certificateTemplates', 'dNSHostName', 'cACertificate'
            'cACertificateDN', 'nTSecurityDescriptor'
        )
        Principal      = @(
            'objectClass', 'objectSid', 'objectGUID', 'sAMAccountName', 'userPrincipalName', 'dNSHostName', 'groupType'
            'userAccountControl', 'primaryGroupID', 'servicePrincipalName', 'operatingSystem'
        )
        Binary         = @(
            'nTSecurityDescriptor', 'objectGUID', 'objectSid', 'pKIKeyUsage', 'pKIExpirationPeriod', 'pKIOverlapPeriod'
            'cACertificate', 'tokenGroups'
        )
    }
    return [string[]] $names[$Of]
}

function ConvertTo-DirectoryEntry {
    <#
    .SYNOPSIS
    Describes an entry: its DN, and by name the attributes that were answered, each a list in a fixed order.
    .PARAMETER Found
    The SearchResultEntry.
    .PARAMETER Binary
    The attributes whose values are binary.
    #>
    param([Parameter(Mandatory = $true)] [object] $Found, [Parameter(Mandatory = $true)] [string[]] $Binary)
    $all = @($Found.Attributes.Values | Where-Object -FilterScript { $_.Count -gt 0 })
    $keys = @(foreach ($one in $all) { $one.Name.ToLowerInvariant() })
    $attributes = [ordered] @{}
    foreach ($one in @(ConvertTo-OrdinalOrder -Keys $keys -Items $all)) {
        $attributes[$one.Name] = ConvertTo-AttributeValueList -Attribute $one -Binary:($Binary -contains $one.Name)
    }
    return @{ dn = [string] $Found.DistinguishedName; attributes = $attributes }
}

function ConvertTo-AttributeValueList {
    <#
    .SYNOPSIS
    Lists the values of an attribute in the order of their bytes.
    .PARAMETER Attribute
    The DirectoryAttribute.
    .PARAMETER Binary
    Says that the attribute is binary.
    #>
    param([Parameter(Mandatory = $true)] [object] $Attribute, [switch] $Binary)
    $raw = $Attribute.GetValues([byte[]])
    $values = @(foreach ($bytes in $raw) { ConvertTo-AttributeValue -Bytes $bytes -Binary:$Binary })
    if ($values.Count -gt 1) {
        $keys = @(foreach ($bytes in $raw) { ConvertTo-HexText -Bytes $bytes })
        $values = @(ConvertTo-OrdinalOrder -Keys $keys -Items $values)
    }
    return , (ConvertTo-PlainList -Items $values)
}

function ConvertTo-AttributeValue {
    <#
    .SYNOPSIS
    Makes a text of the bytes of a value, or base64 text of those that are binary or no UTF-8.
    .PARAMETER Bytes
    The value.
    .PARAMETER Binary
    Says that the attribute is binary.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [byte[]] $Bytes, [switch] $Binary)
    $octets = @{ base64 = [System.Convert]::ToBase64String($Bytes) }
    if ($Binary) { return $octets }
    try { return [System.Text.UTF8Encoding]::new($false, $true).GetString($Bytes) }
    catch [System.Text.DecoderFallbackException] { return $octets }
}

function ConvertTo-HexText {
    <#
    .SYNOPSIS
    Writes bytes as pairs of hexadecimal digits in lower case.
    .PARAMETER Bytes
    The bytes.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [byte[]] $Bytes)
    return [System.BitConverter]::ToString($Bytes).Replace('-', '').ToLowerInvariant()
}

function Get-EntryText {
    <#
    .SYNOPSIS
    Gives the text values of an attribute of an entry, none when it was not answered.
    .PARAMETER Entry
    The entry.
    .PARAMETER Name
    The name of the attribute, in any case.
    #>
    param([Parameter(Mandatory = $true)] [object] $Entry, [Parameter(Mandatory = $true)] [string] $Name)
    if (-not $Entry.attributes.Contains($Name)) { return }
    foreach ($value in $Entry.attributes[$Name]) { if ($value -is [string]) { $value } }
}

function Get-EntryOctet {
    <#
    .SYNOPSIS
    Gives the binary values of an attribute of an entry as base64 texts, none when it was not answered.
    .PARAMETER Entry
    The entry.
    .PARAMETER Name
    The name of the attribute, in any case.
    #>
    param([Parameter(Mandatory = $true)] [object] $Entry, [Parameter(Mandatory = $true)] [string] $Name)
    if (-not $Entry.attributes.Contains($Name)) { return }
    foreach ($value in $Entry.attributes[$Name]) { if ($value -isnot [string]) { $value.base64 } }
}
