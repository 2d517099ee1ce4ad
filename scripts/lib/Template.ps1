function Get-TemplateState {
    <#
    .SYNOPSIS
    Reads attributes of a certificate template: a table of name and text, $null where an attribute is absent.
    .DESCRIPTION
    nTSecurityDescriptor comes as base64 text of a descriptor that holds the DACL and nothing else. A domain controller
    may keep its entries in another order than they were sent in, see Test-SameDacl; Known gives it its text back.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The template (pKICertificateTemplate).
    .PARAMETER Name
    The attributes: single numbers, and nTSecurityDescriptor.
    .PARAMETER Known
    States, such as the approved and the wanted one: a DACL that is the same as one of theirs comes as it stands there.
    .EXAMPLE
    Get-TemplateState -Connection $connection -DistinguishedName $dn -Name 'msPKI-Template-Minor-Revision'
    #>
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [string[]] $Name,
        [AllowEmptyCollection()] [hashtable[]] $Known = @()
    )
    $ErrorActionPreference = 'Stop'
    $read = Read-Template -Connection $Connection -DistinguishedName $DistinguishedName -Name $Name
    return ConvertTo-KnownState -State $read.State -Known $Known
}

function Test-TemplateState {
    <#
    .SYNOPSIS
    Says whether a template is as wanted; a DACL may stand in the order that the server gave it.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The template.
    .PARAMETER Wanted
    A table of name and text, $null where an attribute is to be absent.
    .EXAMPLE
    Test-TemplateState -Connection $c -DistinguishedName $dn -Wanted @{ 'msPKI-Certificate-Name-Flag' = '1' }
    #>
    [OutputType([bool])]
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [hashtable] $Wanted
    )
    $ErrorActionPreference = 'Stop'
    $names = [string[]] @($Wanted.psbase.Keys)
    $now = Get-TemplateState -Connection $Connection -DistinguishedName $DistinguishedName -Name $names
    return Test-SameTemplateState -Now $now -Wanted $Wanted
}

function Set-TemplateState {
    <#
    .SYNOPSIS
    Changes a certificate template in one modify, which the directory refuses when somebody else was faster.
    .DESCRIPTION
    What is as After is not written, what is not as Before is refused with RemediateDrift. Each number is written as
    delete the old, add the new. A directory cannot compare a descriptor, so it is written only with a new
    msPKI-Template-Minor-Revision; when its version in replPropertyMetaData then is not exactly one higher, a write was
    overwritten and this throws RemediateNotAsWritten.
    Returns a table: State is what is read in the end; Written: this wrote it; Replication: checked, or why not.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The template.
    .PARAMETER Before
    The approved state.
    .PARAMETER After
    The wanted state, of the same names.
    .EXAMPLE
    Set-TemplateState -Connection $connection -DistinguishedName $dn -Before $before -After $after -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [hashtable] $Before,
        [Parameter(Mandatory = $true)] [hashtable] $After
    )
    $ErrorActionPreference = 'Stop'
    $request = New-TemplateRequest -DistinguishedName $DistinguishedName -Before $Before -After $After
    $place = "$DistinguishedName on $(Get-DirectoryServerName -Connection $Connection)"
    $where = @{ Connection = $Connection; DistinguishedName = $DistinguishedName; Name = @($After.psbase.Keys) }
    $first = Read-Template @where
    $unchanged = @{ State = $first.State; Written = $false; Replication = 'not checked: nothing was written' }
    $now = ConvertTo-KnownState -State $first.State -Known @($After, $Before)
    if (-not (Test-ChangeNeeded -Address $place -Now $now -Before $Before -After $After)) { return $unchanged }
    $text = "from $(Format-State -State $Before) to $(Format-State -State $After), in one modify"
    if (-not $PSCmdlet.ShouldProcess($place, "write the template $text")) { return $unchanged }
    Write-VerboseText -Text "${place}: writing the template $text"
    Invoke-ComparedWrite -Connection $Connection -Request $request
    $second = Read-Template @where
    $replication = Confirm-TemplateWritten -Place $place -First $first -Second $second -Before $Before -After $After
    return @{ State = $second.State; Written = $true; Replication = $replication }
}

function Read-Template {
    <#
    .SYNOPSIS
    Reads in one search the state of a template, and of each attribute how often and when it was written.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The template.
    .PARAMETER Name
    The attributes.
    #>
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [string[]] $Name
    )
    $asked = [string[]] @($Name + 'objectClass' + 'replPropertyMetaData')
    $entry = Read-DirectoryObject -Connection $Connection -DistinguishedName $DistinguishedName -Attribute $asked
    if (@(Get-ReadText -Entry $entry -Name 'objectClass') -notcontains 'pKICertificateTemplate') {
        throw (New-DirectoryError -Message "$DistinguishedName is no certificate template.")
    }
    $state = @{}
    foreach ($one in $Name) {
        $state[$one] = $null
        if ($one -ne 'nTSecurityDescriptor') {
            foreach ($text in @(Get-ReadText -Entry $entry -Name $one)) { $state[$one] = $text }
            continue
        }
        $bytes = Get-ReadOctet -Entry $entry -Name $one
        if ($null -eq $bytes) {
            $message = "This account lacks the right to read the permissions of $DistinguishedName (READ_CONTROL)."
            throw (New-DirectoryError -Message $message)
        }
        $state[$one] = ConvertTo-DaclText -Descriptor $bytes
    }
    $metadata = Get-ReadOctet -Entry $entry -Name 'replPropertyMetaData'
    return @{ State = $state; Stamps = (Get-AttributeStamp -Metadata $metadata -Name $Name) }
}

function New-TemplateRequest {
    <#
    .SYNOPSIS
    Makes the one modify that leads a template from one state to another. Throws when the states do not fit together.
    .PARAMETER DistinguishedName
    The template.
    .PARAMETER Before
    The state that it starts from.
    .PARAMETER After
    The state that it leads to.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [hashtable] $Before,
        [Parameter(Mandatory = $true)] [hashtable] $After
    )
    $revision, $descriptor = 'msPKI-Template-Minor-Revision', 'nTSecurityDescriptor'
    $names = @($After.psbase.Keys | Sort-Object)
    if ((@($Before.psbase.Keys | Sort-Object) -join ' ') -ne ($names -join ' ')) {
        throw (New-DirectoryError -Message "The states of $DistinguishedName name different attributes.")
    }
    $changed = @($names | Where-Object -FilterScript { $Before[$_] -cne $After[$_] })
    if ($changed -contains $descriptor -and ($changed -notcontains $revision -or $null -eq $Before[$revision])) {
        throw (New-DirectoryError -Message "A DACL is written only together with a $revision that is higher.")
    }
    $request = [System.DirectoryServices.Protocols.ModifyRequest]::new()
    $request.DistinguishedName = $DistinguishedName
    foreach ($name in $changed) {
        $write = @{ Request = $request; Name = $name }
        if ($name -eq $descriptor) {
            $bytes = [System.Convert]::FromBase64String($After[$name])
            Add-DirectoryModification @write -Operation 'Replace' -Value $bytes
            Add-DaclControl -Request $request
            continue
        }
        if ($null -ne $Before[$name]) { Add-DirectoryModification @write -Operation 'Delete' -Value $Before[$name] }
        if ($null -ne $After[$name]) { Add-DirectoryModification @write -Operation 'Add' -Value $After[$name] }
    }
    return $request
}
