function Read-HostDocument {
    <#
    .SYNOPSIS
    Reads the documents of CA hosts and connector hosts in a folder: ca-*.json and connector-*.json.
    .PARAMETER Folder
    The folder.
    #>
    param([Parameter(Mandatory = $true)] [string] $Folder)
    $files = @(Get-ChildItem -LiteralPath $Folder -File -Force -ErrorAction Stop | Sort-Object -Property Name)
    foreach ($file in $files) {
        if ($file.Name -notmatch '^(ca|connector)-.*\.json$') { continue }
        $role = $Matches[1]
        try { $document = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($file.FullName)) }
        catch { throw "$($file.FullName) is not the document of a host: copy it again, or collect again" }
        if ((Get-DocumentValue -Document $document -Path 'role') -ne $role) {
            throw "$($file.FullName) is not what its name says"
        }
        $document
    }
}

function Get-DocumentValue {
    <#
    .SYNOPSIS
    Follows the names of properties into a document; nothing where one of them is not there.
    .PARAMETER Document
    The document, as ConvertFrom-Json gives it.
    .PARAMETER Path
    The names, the outermost first.
    #>
    param([AllowNull()] [object] $Document, [Parameter(Mandatory = $true)] [string[]] $Path)
    $value = $Document
    foreach ($name in $Path) {
        if ($null -eq $value) { return $null }
        $property = $value.PSObject.Properties[$name]
        if ($null -eq $property) { return $null }
        $value = $property.Value
    }
    return $value
}

function Get-HostName {
    <#
    .SYNOPSIS
    Gives the DNS names by which hosts know themselves, else the names by which they were read.
    .PARAMETER Documents
    The documents of the hosts.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Documents)
    foreach ($one in $Documents) {
        $name = [string] (Get-DocumentValue -Document $one -Path 'machine', 'dns_host_name', 'value')
        if ($name -ne '') { $name } else { [string] (Get-DocumentValue -Document $one -Path 'read_from') }
    }
}

function Get-ConnectorAccountName {
    <#
    .SYNOPSIS
    Says as whom the services of connectors call a CA, as DOMAIN\NAME.
    .PARAMETER Documents
    The documents of the hosts; those of CAs say nothing about this.
    .PARAMETER Partitions
    The cross-references of the forest.
    #>
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Documents,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Partitions
    )
    foreach ($one in $Documents) {
        if ((Get-DocumentValue -Document $one -Path 'role') -ne 'connector') { continue }
        $computer = [string] (Get-DocumentValue -Document $one -Path 'machine', 'computer_name')
        $domain = [string] (Get-DocumentValue -Document $one -Path 'machine', 'domain', 'value')
        if ($domain -ne '') { $domain = Get-NetbiosName -Domain $domain -Partitions $Partitions }
        foreach ($service in @(Get-DocumentValue -Document $one -Path 'services', 'value')) {
            $name = [string] (Get-DocumentValue -Document $service -Path 'start_name')
            Get-CallerName -StartName $name -Computer $computer -Domain $domain
        }
    }
}

function Get-CallerName {
    <#
    .SYNOPSIS
    Gives the account as which a service calls other hosts; nothing where it has no account there.
    .DESCRIPTION
    Built-in accounts and virtual ones call as the computer, which no domain knows in a workgroup. Local accounts and
    LocalService call as nobody.
    .PARAMETER StartName
    The StartName of Win32_Service.
    .PARAMETER Computer
    The name of the host itself.
    .PARAMETER Domain
    The NetBIOS name of its domain, empty in a workgroup.
    #>
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $StartName,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Computer,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Domain
    )
    $account = $StartName.ToLowerInvariant()
    $system = 'localsystem', '.\localsystem', 'nt authority\system'
    $network = 'nt authority\networkservice', 'nt authority\network service'
    if (($system + $network) -contains $account -or $account.StartsWith('nt service\')) {
        if ($Domain -ne '') { return "$Domain\$($Computer.ToUpperInvariant())`$" }
        return
    }
    if (@('', 'nt authority\localservice', 'nt authority\local service') -contains $account) { return }
    if ($account.StartsWith('.\') -or $account.StartsWith("$($Computer.ToLowerInvariant())\")) { return }
    return $StartName
}

function Get-NetbiosName {
    <#
    .SYNOPSIS
    Gives the NetBIOS name of a domain, or the name as it is when the forest does not know it.
    .PARAMETER Domain
    The DNS name of the domain.
    .PARAMETER Partitions
    The cross-references of the forest.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Domain,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Partitions
    )
    foreach ($one in $Partitions) {
        $names = @(Get-EntryText -Entry $one -Name 'nETBIOSName')
        if ($names.Count -gt 0 -and @(Get-EntryText -Entry $one -Name 'dnsRoot') -contains $Domain) { return $names[0] }
    }
    return $Domain
}

function Get-UniqueName {
    <#
    .SYNOPSIS
    Gives each name once, in a fixed order; names have no case.
    .PARAMETER Names
    The names.
    #>
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [AllowEmptyString()] [string[]] $Names)
    $unique = @{}
    foreach ($name in $Names) { if ($name.Trim() -ne '') { $unique[$name.Trim().ToLowerInvariant()] = $name.Trim() } }
    return ConvertTo-OrdinalOrder -Keys @($unique.Keys) -Items @($unique.Values)
}
