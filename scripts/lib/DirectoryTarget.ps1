function Get-DirectoryServerName {
    <#
    .SYNOPSIS
    Names the server that a connection was made to.
    .PARAMETER Connection
    The LdapConnection.
    #>
    param([Parameter(Mandatory = $true)] [object] $Connection)
    return [string] @($Connection.Directory.Servers)[0]
}

function Connect-Directory {
    <#
    .SYNOPSIS
    Connects to the domain controller that is to be read and written; refuses, with its name, when that does not work.
    .PARAMETER Server
    The DNS name of the domain controller.
    .PARAMETER SecureSocketLayer
    Connects by LDAPS on port 636.
    .EXAMPLE
    Connect-Directory -Server 'dc1.contoso.com'
    #>
    param([Parameter(Mandatory = $true)] [string] $Server, [switch] $SecureSocketLayer)
    $ErrorActionPreference = 'Stop'
    try { return New-DirectoryConnection -Server $Server -SecureSocketLayer:$SecureSocketLayer }
    catch {
        $cause = Get-DirectoryCause -Exception $_.Exception
        $code = Get-DirectoryErrorCode -Exception $cause
        $way = if ($SecureSocketLayer) { 'LDAPS' } else { 'LDAP, signed and sealed' }
        $message = "${Server}: there is no connection by $way, $code ($($cause.Message.Trim()))."
        throw (New-DirectoryError -Message $message -Code $code)
    }
}

function New-DirectoryError {
    <#
    .SYNOPSIS
    Makes an error to throw, as New-StateError does; Data['Code'] of its exception is the LDAP code, such as LDAP 50.
    .PARAMETER Id
    The identity; without one RemediateRefused: nothing was written.
    .PARAMETER Message
    What happened.
    .PARAMETER Code
    The LDAP code, where there was one.
    #>
    param(
        [string] $Id = 'RemediateRefused',
        [Parameter(Mandatory = $true)] [string] $Message,
        [AllowEmptyString()] [string] $Code = ''
    )
    $failure = New-StateError -Id $Id -Message $Message
    $failure.Exception.Data['Code'] = $Code
    return $failure
}

function Invoke-DirectoryRequest {
    <#
    .SYNOPSIS
    Sends one request and returns the answer. What fails is thrown with server, object and result code.
    .DESCRIPTION
    A server that answers has done all of the request or nothing of it. When a write gets no answer, it is not known
    whether it was done, and the message says so.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER Request
    A SearchRequest or a ModifyRequest.
    #>
    param([Parameter(Mandatory = $true)] [object] $Connection, [Parameter(Mandatory = $true)] [object] $Request)
    $name = if ([string] $Request.DistinguishedName -eq '') { 'the root DSE' } else { $Request.DistinguishedName }
    $writes = $Request -is [System.DirectoryServices.Protocols.ModifyRequest]
    $verb, $id = if ($writes) { 'written', 'RemediateFailed' } else { 'read', 'RemediateRefused' }
    $begin = "$(Get-DirectoryServerName -Connection $Connection): $name could not be $verb"
    try { $answer = $Connection.SendRequest($Request) }
    catch {
        $cause = Get-DirectoryCause -Exception $_.Exception
        $code = Get-DirectoryErrorCode -Exception $cause
        $answered = $cause -is [System.DirectoryServices.Protocols.DirectoryOperationException]
        if (-not $answered -or $null -eq $cause.Response) {
            $end = if ($writes) { ' No answer came: whether it was written is not known.' } else { '' }
            $message = "$begin, $code ($($cause.Message.Trim())).$end"
            throw (New-DirectoryError -Id $id -Message $message -Code $code)
        }
        $answer = $cause.Response
    }
    if ($answer.ResultCode -eq [System.DirectoryServices.Protocols.ResultCode]::Success) { return $answer }
    $said = [regex]::Replace([string] $answer.ErrorMessage, '[^\x20-\x7E]+', ' ').Trim()
    $code = "LDAP $([int] $answer.ResultCode)"
    throw (New-DirectoryError -Id $id -Message "$begin, $code ($($answer.ResultCode)). $said".Trim() -Code $code)
}

function Read-DirectoryObject {
    <#
    .SYNOPSIS
    Reads attributes of one object, as a SearchResultEntry. Of a security descriptor only the DACL is asked for.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The object; the empty one is the root DSE.
    .PARAMETER Attribute
    The names of the attributes.
    #>
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [string[]] $Attribute
    )
    $server = Get-DirectoryServerName -Connection $Connection
    Write-VerboseText -Text "${server}: reading $($Attribute -join ', ') of '$DistinguishedName'"
    $request = [System.DirectoryServices.Protocols.SearchRequest]::new(
        $DistinguishedName, '(objectClass=*)', [System.DirectoryServices.Protocols.SearchScope]::Base, $Attribute)
    if ($Attribute -contains 'nTSecurityDescriptor') { Add-DaclControl -Request $request }
    $answer = Invoke-DirectoryRequest -Connection $Connection -Request $request
    if ($answer.Entries.Count -eq 1) { return $answer.Entries[0] }
    $message = "${server}: there is no object '$DistinguishedName', or this account may not see it."
    throw (New-DirectoryError -Message $message)
}

function Add-DaclControl {
    <#
    .SYNOPSIS
    Limits a request to the DACL of a security descriptor: owner, group and SACL are neither read nor written.
    .DESCRIPTION
    LDAP_SERVER_SD_FLAGS_OID with DACL_SECURITY_INFORMATION, 4 ([MS-ADTS] 3.1.1.3.4.1.11).
    .PARAMETER Request
    The request, which is changed.
    #>
    param([Parameter(Mandatory = $true)] [object] $Request)
    $dacl = [System.DirectoryServices.Protocols.SecurityMasks]::Dacl
    [void] $Request.Controls.Add([System.DirectoryServices.Protocols.SecurityDescriptorFlagControl]::new($dacl))
}

function Add-DirectoryModification {
    <#
    .SYNOPSIS
    Adds one part to a modify: one value of one attribute is added, deleted, or takes the place of what stands there.
    .PARAMETER Request
    The ModifyRequest, which is changed.
    .PARAMETER Operation
    Add, Delete or Replace.
    .PARAMETER Name
    The attribute.
    .PARAMETER Value
    A text or bytes.
    #>
    param(
        [Parameter(Mandatory = $true)] [object] $Request,
        [Parameter(Mandatory = $true)] [ValidateSet('Add', 'Delete', 'Replace')] [string] $Operation,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [object] $Value
    )
    $part = [System.DirectoryServices.Protocols.DirectoryAttributeModification]::new()
    $part.Name = $Name
    $part.Operation = [System.DirectoryServices.Protocols.DirectoryAttributeOperation] $Operation
    if ($Value -is [byte[]]) { [void] $part.Add([byte[]] $Value) } else { [void] $part.Add([string] $Value) }
    [void] $Request.Modifications.Add($part)
}

function Invoke-ComparedWrite {
    <#
    .SYNOPSIS
    Sends a modify that holds the old values; throws RemediateDrift when the directory finds that they are gone.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER Request
    The ModifyRequest.
    #>
    param([Parameter(Mandatory = $true)] [object] $Connection, [Parameter(Mandatory = $true)] [object] $Request)
    try { [void] (Invoke-DirectoryRequest -Connection $Connection -Request $Request) }
    catch {
        $code = [string] $_.Exception.Data['Code']
        # noSuchAttribute and attributeOrValueExists ([RFC 4511] A.2)
        if (@('LDAP 16', 'LDAP 20') -notcontains $code) { throw }
        $message = "$($_.Exception.Message) Somebody else has changed it since it was read; nothing was written here."
        throw (New-DirectoryError -Id 'RemediateDrift' -Message $message -Code $code)
    }
}

function Get-ReadText {
    <#
    .SYNOPSIS
    Gives the values of an attribute of an object that was read, as texts; none when it was not answered.
    .PARAMETER Entry
    The object, as Read-DirectoryObject returns it.
    .PARAMETER Name
    The attribute.
    #>
    param([Parameter(Mandatory = $true)] [object] $Entry, [Parameter(Mandatory = $true)] [string] $Name)
    if ($Entry.Attributes.Contains($Name)) { foreach ($one in $Entry.Attributes[$Name].GetValues([string])) { $one } }
}

function Get-ReadOctet {
    <#
    .SYNOPSIS
    Gives the first value of an attribute of an object that was read, as bytes; nothing when it was not answered.
    .PARAMETER Entry
    The object, as Read-DirectoryObject returns it.
    .PARAMETER Name
    The attribute.
    #>
    param([Parameter(Mandatory = $true)] [object] $Entry, [Parameter(Mandatory = $true)] [string] $Name)
    if ($Entry.Attributes.Contains($Name)) { return , [byte[]] $Entry.Attributes[$Name].GetValues([byte[]])[0] }
}

function Confirm-DirectoryIdentity {
    <#
    .SYNOPSIS
    Refuses a server that serves another domain than the one that the plan was made for.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DomainGuid
    The objectGUID of the domain.
    .EXAMPLE
    Confirm-DirectoryIdentity -Connection $connection -DomainGuid '5e1c0a3e-1d7e-4c3b-9f2a-0f6f2b1c7d10'
    #>
    param([Parameter(Mandatory = $true)] [object] $Connection, [Parameter(Mandatory = $true)] [guid] $DomainGuid)
    $ErrorActionPreference = 'Stop'
    $server = Get-DirectoryServerName -Connection $Connection
    $root = Read-DirectoryObject -Connection $Connection -DistinguishedName '' -Attribute 'defaultNamingContext'
    $domain = [string] (Get-ReadText -Entry $root -Name 'defaultNamingContext')
    if ($domain -eq '') { throw (New-DirectoryError -Message "$server does not say which domain it serves.") }
    $entry = Read-DirectoryObject -Connection $Connection -DistinguishedName $domain -Attribute 'objectGUID'
    $bytes = Get-ReadOctet -Entry $entry -Name 'objectGUID'
    if ($null -eq $bytes) {
        throw (New-DirectoryError -Message "$server does not tell this account the objectGUID of $domain.")
    }
    $found = [guid]::new($bytes)
    if ($found -eq $DomainGuid) { Write-VerboseText -Text "${server}: $domain is the planned domain, $found"; return }
    $message = "$server serves $domain, which is another domain: objectGUID $found, planned for $DomainGuid."
    throw (New-DirectoryError -Message $message)
}

function Confirm-WritableDomainController {
    <#
    .SYNOPSIS
    Refuses a server that is no domain controller of Active Directory, or a read-only one.
    .DESCRIPTION
    A read-only domain controller shows it twice: supportedCapabilities holds
    LDAP_CAP_ACTIVE_DIRECTORY_PARTIAL_SECRETS_OID ([MS-ADTS] 3.1.1.3.4.3), and msDS-isRODC of its own nTDSDSA object is
    TRUE ([MS-ADA2]). One of them is enough to refuse; a server that does not tell is refused as well.
    .PARAMETER Connection
    The LdapConnection.
    .EXAMPLE
    Confirm-WritableDomainController -Connection $connection
    #>
    param([Parameter(Mandatory = $true)] [object] $Connection)
    $ErrorActionPreference = 'Stop'
    $server = Get-DirectoryServerName -Connection $Connection
    $names = [string[]] @('supportedCapabilities', 'dsServiceName')
    $root = Read-DirectoryObject -Connection $Connection -DistinguishedName '' -Attribute $names
    $capabilities = @(Get-ReadText -Entry $root -Name 'supportedCapabilities')
    $service = [string] (Get-ReadText -Entry $root -Name 'dsServiceName')
    # LDAP_CAP_ACTIVE_DIRECTORY_OID: AD DS, not AD LDS.
    if ($capabilities -notcontains '1.2.840.113556.1.4.800' -or $service -eq '') {
        throw (New-DirectoryError -Message "$server does not call itself a domain controller of Active Directory.")
    }
    $refusal = "$server is a read-only domain controller; name a writable one."
    # LDAP_CAP_ACTIVE_DIRECTORY_PARTIAL_SECRETS_OID
    if ($capabilities -contains '1.2.840.113556.1.4.1920') { throw (New-DirectoryError -Message $refusal) }
    $entry = Read-DirectoryObject -Connection $Connection -DistinguishedName $service -Attribute 'msDS-isRODC'
    $answer = [string] (Get-ReadText -Entry $entry -Name 'msDS-isRODC')
    if ($answer -eq 'FALSE') { Write-VerboseText -Text "$server is a writable domain controller"; return }
    if ($answer -eq '') { $refusal = "$server does not tell this account whether it is a read-only domain controller." }
    throw (New-DirectoryError -Message $refusal)
}

function Confirm-DirectoryRight {
    <#
    .SYNOPSIS
    Refuses when this account lacks a right that the change needs, and names what it lacks.
    .DESCRIPTION
    The server itself is asked: allowedAttributesEffective lists what the caller may write, sDRightsEffective the parts
    of the security descriptor that it may ([MS-ADTS] 3.1.1.4.5, [MS-ADA1], [MS-ADA3]).
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The object that is to be changed.
    .PARAMETER Attribute
    The attributes that are to be written, without nTSecurityDescriptor.
    .PARAMETER Descriptor
    Says that the DACL is to be written as well.
    .EXAMPLE
    Confirm-DirectoryRight -Connection $connection -DistinguishedName $dn -Attribute 'certificateTemplates'
    #>
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [AllowEmptyCollection()] [string[]] $Attribute = @(),
        [switch] $Descriptor
    )
    $ErrorActionPreference = 'Stop'
    $names = [string[]] @('allowedAttributesEffective', 'sDRightsEffective')
    $entry = Read-DirectoryObject -Connection $Connection -DistinguishedName $DistinguishedName -Attribute $names
    $allowed = @(Get-ReadText -Entry $entry -Name 'allowedAttributesEffective')
    $missing = @(foreach ($one in $Attribute) { if ($allowed -notcontains $one) { "to write $one" } })
    # DACL_SECURITY_INFORMATION; no answer counts as 0, no right.
    $parts = [int] [string] (Get-ReadText -Entry $entry -Name 'sDRightsEffective')
    if ($Descriptor -and ($parts -band 4) -eq 0) { $missing += 'to change the permissions (WRITE_DAC)' }
    if ($missing.Count -eq 0) {
        Write-VerboseText -Text "this account may write what is planned on $DistinguishedName"
        return
    }
    $server = Get-DirectoryServerName -Connection $Connection
    $message = "${server}: this account lacks the right $($missing -join ', ') on $DistinguishedName."
    throw (New-DirectoryError -Message $message)
}
