function Get-PublishedTemplateState {
    <#
    .SYNOPSIS
    Says whether a CA offers a template: a table of the template's name and published, or $null when it does not.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The enrollment service of the CA (pKIEnrollmentService).
    .PARAMETER Template
    The template's cn, not its display name.
    .EXAMPLE
    Get-PublishedTemplateState -Connection $connection -DistinguishedName $service -Template 'IntunePKCS'
    #>
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [string] $Template
    )
    $ErrorActionPreference = 'Stop'
    $names = [string[]] @('objectClass', 'certificateTemplates')
    $entry = Read-DirectoryObject -Connection $Connection -DistinguishedName $DistinguishedName -Attribute $names
    if (@(Get-ReadText -Entry $entry -Name 'objectClass') -notcontains 'pKIEnrollmentService') {
        throw (New-DirectoryError -Message "$DistinguishedName is no enrollment service.")
    }
    # Unicode strings of a directory are compared without regard to case; -contains does the same.
    $published = @(Get-ReadText -Entry $entry -Name 'certificateTemplates') -contains $Template
    $state = @{ $Template = $null }
    if ($published) { $state[$Template] = 'published' }
    return $state
}

function Test-PublishedTemplateState {
    <#
    .SYNOPSIS
    Says whether a template is published, or is not, as wanted.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The enrollment service of the CA.
    .PARAMETER Template
    The template's cn.
    .PARAMETER Wanted
    A table of the template's name and published or $null.
    .EXAMPLE
    Test-PublishedTemplateState -Connection $c -DistinguishedName $service -Template 'X' -Wanted @{ X = 'published' }
    #>
    [OutputType([bool])]
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [string] $Template,
        [Parameter(Mandatory = $true)] [hashtable] $Wanted
    )
    $ErrorActionPreference = 'Stop'
    $now = Get-PublishedTemplateState -Connection $Connection -DistinguishedName $DistinguishedName -Template $Template
    return Test-SameState -Now $now -Wanted $Wanted
}

function Set-PublishedTemplate {
    <#
    .SYNOPSIS
    Publishes a template on one CA, or takes it back: one value of certificateTemplates; the others are not touched.
    .DESCRIPTION
    Returns a table: State is what is read in the end, Written says whether it was this that wrote it. Nothing is
    written when it is already as wanted. The directory refuses the write when somebody else was faster: RemediateDrift.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The enrollment service of the CA.
    .PARAMETER Template
    The template's cn.
    .PARAMETER Before
    The approved state: a table of the template's name and published or $null.
    .PARAMETER After
    The wanted state, in the same form.
    .EXAMPLE
    Set-PublishedTemplate -Connection $c -DistinguishedName $service -Template 'X' -Before $before -After $after -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [string] $Template,
        [Parameter(Mandatory = $true)] [hashtable] $Before,
        [Parameter(Mandatory = $true)] [hashtable] $After
    )
    $ErrorActionPreference = 'Stop'
    $where = @{ Connection = $Connection; DistinguishedName = $DistinguishedName; Template = $Template }
    $place = "$DistinguishedName on $(Get-DirectoryServerName -Connection $Connection)"
    $now = Get-PublishedTemplateState @where
    if (-not (Test-ChangeNeeded -Address $place -Now $now -Before $Before -After $After)) {
        return @{ State = $now; Written = $false }
    }
    $operation, $text = 'Add', "add $Template to certificateTemplates"
    if ($null -eq $After[$Template]) { $operation, $text = 'Delete', "delete $Template from certificateTemplates" }
    if (-not $PSCmdlet.ShouldProcess($place, $text)) { return @{ State = $now; Written = $false } }
    Invoke-PublishingWrite @where -Operation $operation
    $now = Get-PublishedTemplateState @where
    Confirm-StateWritten -Address $place -Now $now -Wanted $After
    return @{ State = $now; Written = $true }
}

function Invoke-PublishingWrite {
    <#
    .SYNOPSIS
    Adds one value to certificateTemplates, or deletes it.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER DistinguishedName
    The enrollment service of the CA.
    .PARAMETER Template
    The template's cn.
    .PARAMETER Operation
    Add or Delete.
    #>
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $DistinguishedName,
        [Parameter(Mandatory = $true)] [string] $Template,
        [Parameter(Mandatory = $true)] [ValidateSet('Add', 'Delete')] [string] $Operation
    )
    $request = [System.DirectoryServices.Protocols.ModifyRequest]::new()
    $request.DistinguishedName = $DistinguishedName
    Add-DirectoryModification -Request $request -Operation $Operation -Name 'certificateTemplates' -Value $Template
    Write-VerboseText -Text "${DistinguishedName}: $Operation $Template, one value of certificateTemplates"
    Invoke-ComparedWrite -Connection $Connection -Request $request
}
