function Get-DirectorySession {
    <#
    .SYNOPSIS
    Connects to a domain controller and stays with it: its name, connection, root DSE and naming contexts.
    .PARAMETER Server
    The DNS name of the domain controller.
    .PARAMETER Domain
    Says that Server is the DNS name of a domain, of which Windows is to find a controller nearby.
    .PARAMETER SecureSocketLayer
    Connects by LDAPS.
    #>
    param([Parameter(Mandatory = $true)] [string] $Server, [switch] $Domain, [switch] $SecureSocketLayer)
    $connection = New-DirectoryConnection -Server $Server -Domain:$Domain -SecureSocketLayer:$SecureSocketLayer
    $root = Get-RootEntry -Connection $connection
    $name = [string] @(@(Get-EntryText -Entry $root -Name 'dnsHostName') + $Server)[0]
    if ($name -ne $Server) {
        $connection.Dispose()
        $connection = New-DirectoryConnection -Server $name -SecureSocketLayer:$SecureSocketLayer
    }
    return @{
        Server            = $name
        Connection        = $connection
        SecureSocketLayer = [bool] $SecureSocketLayer
        RootDse           = $root
        Base              = Get-NamingContext -Root $root -Name 'defaultNamingContext'
        Configuration     = Get-NamingContext -Root $root -Name 'configurationNamingContext'
    }
}

function Get-RootEntry {
    <#
    .SYNOPSIS
    Reads the root DSE without its lists of controls and the like, and without what changes by the second.
    .DESCRIPTION
    supportedCapabilities stays: it tells a read-only domain controller.
    .PARAMETER Connection
    The LdapConnection.
    #>
    param([Parameter(Mandatory = $true)] [object] $Connection)
    $root = @(Find-DirectoryEntry -Connection $Connection -Base '' -Scope 'Base' -Attribute @('*', '+'))[0]
    $left = '^(supported(?!Capabilities$)|currentTime|highestCommittedUSN|validFSMOs|ldapServiceName)'
    foreach ($name in @($root.attributes.Keys)) { if ($name -match $left) { $root.attributes.Remove($name) } }
    return $root
}

function Get-NamingContext {
    <#
    .SYNOPSIS
    Gives a naming context of a domain controller. Throws when the server is none.
    .PARAMETER Root
    The root DSE.
    .PARAMETER Name
    The attribute that names it.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Root, [Parameter(Mandatory = $true)] [string] $Name)
    $found = @(Get-EntryText -Entry $Root -Name $Name)
    if ($found.Count -eq 0) { throw "the server has no $Name, so it is no domain controller of Active Directory" }
    return [string] $found[0]
}

function Get-EntryListFact {
    <#
    .SYNOPSIS
    Searches and returns the entries as a fact.
    .PARAMETER Connection
    The LdapConnection.
    .PARAMETER Base
    The DN to search at.
    .PARAMETER Of
    The kind of object, which says what is read of each.
    .PARAMETER Filter
    The search filter; everything without it.
    .PARAMETER Scope
    Whether to look at one level or the whole subtree.
    #>
    param(
        [Parameter(Mandatory = $true)] [object] $Connection,
        [Parameter(Mandatory = $true)] [string] $Base,
        [Parameter(Mandatory = $true)] [string] $Of,
        [string] $Filter = '(objectClass=*)',
        [string] $Scope = 'Subtree'
    )
    $search = @{ Connection = $Connection; Base = $Base; Filter = $Filter; Scope = $Scope }
    $search.Attribute = Get-DirectoryAttributeName -Of $Of
    $search.Descriptor = $search.Attribute -contains 'nTSecurityDescriptor'
    return Get-DirectoryFact -Reading { return New-ListFact -Items @(Find-DirectoryEntry @search) }
}
