function Get-ConnectorVersionFact {
    <#
    .SYNOPSIS
    Reads the version of the installed certificate connector from the list of installed programs.
    #>
    return Get-Fact -Reading {
        $title = 'Certificate Connector for Microsoft Intune'
        foreach ($software in 'HKLM:\SOFTWARE', 'HKLM:\SOFTWARE\WOW6432Node') {
            $programs = "$software\Microsoft\Windows\CurrentVersion\Uninstall"
            foreach ($name in @(Get-RegistrySubkeyName -Key $programs)) {
                $program = Get-RegistryKey -Key "$programs\$name"
                if ($null -eq $program) { continue }
                if ((Get-RegistryText -OpenKey $program -Name 'DisplayName') -ne $title) { continue }
                return Get-RegistryFact -Key "$programs\$name" -Name 'DisplayVersion' -Kind 'String'
            }
        }
        return New-AbsentFact
    }
}

function Get-ConnectionStatusFact {
    <#
    .SYNOPSIS
    Reads the ConnectionStatus of a connector, which is a subkey in one generation and a value in the other.
    .PARAMETER Key
    The registry key of the connector.
    #>
    param([Parameter(Mandatory = $true)] [string] $Key)
    return Get-Fact -Reading {
        $status = Get-RegistryKey -Key "$Key\ConnectionStatus"
        if ($null -ne $status) {
            return New-ValueFact -Value @{
                status          = Get-RegistryText -OpenKey $status -Name ''
                last_connection = Get-RegistryText -OpenKey $status -Name 'LastConnectionTime'
                issue           = Get-RegistryText -OpenKey $status -Name 'IssueDetails'
            }
        }
        $connector = Get-RegistryKey -Key $Key
        if ($null -eq $connector) { return New-AbsentFact }
        if ($connector.GetValueNames() -notcontains 'ConnectionStatus') { return New-AbsentFact }
        $text = Get-RegistryText -OpenKey $connector -Name 'ConnectionStatus'
        return New-ValueFact -Value @{ status = $text; last_connection = ''; issue = '' }
    }
}

function Get-PolicyServerFact {
    <#
    .SYNOPSIS
    Reads a PolicyServers key: its flags, its default policy and the enrollment policy servers below it.
    .PARAMETER Key
    The path of the key.
    #>
    param([Parameter(Mandatory = $true)] [string] $Key)
    return Get-Fact -Reading {
        $root = Get-RegistryKey -Key $Key
        if ($null -eq $root) { return New-AbsentFact }
        $rows = foreach ($name in $root.GetSubKeyNames()) { Get-PolicyServerRow -Key $Key -Name $name }
        return New-ValueFact -Value @{
            flags   = Get-RegistryNumber -OpenKey $root -Name 'Flags'
            default = Get-RegistryText -OpenKey $root -Name ''
            servers = ConvertTo-PlainList -Items @($rows)
        }
    }
}

function Get-PolicyServerRow {
    <#
    .SYNOPSIS
    Reads one enrollment policy server.
    .PARAMETER Key
    The PolicyServers key.
    .PARAMETER Name
    The name of its subkey.
    #>
    param([Parameter(Mandatory = $true)] [string] $Key, [Parameter(Mandatory = $true)] [string] $Name)
    $row = Get-RegistryKey -Key "$Key\$Name"
    return @{
        id            = $Name
        url           = Get-RegistryText -OpenKey $row -Name 'URL'
        policy_id     = Get-RegistryText -OpenKey $row -Name 'PolicyID'
        friendly_name = Get-RegistryText -OpenKey $row -Name 'FriendlyName'
        flags         = Get-RegistryNumber -OpenKey $row -Name 'Flags'
        auth_flags    = Get-RegistryNumber -OpenKey $row -Name 'AuthFlags'
        cost          = Get-RegistryNumber -OpenKey $row -Name 'Cost'
    }
}

function Get-AppliedPolicyServerFact {
    <#
    .SYNOPSIS
    Lists the addresses of the enrollment policy servers that this host applies.
    #>
    return Get-Fact -Reading {
        $found = @(Get-CertificateEnrollmentPolicyServer -Scope Applied -Context Machine -ErrorAction Stop)
        $addresses = foreach ($server in $found) { [string] $server.Url }
        return New-ListFact -Items @($addresses)
    }
}

function Get-TrustedRootFact {
    <#
    .SYNOPSIS
    Lists the thumbprints of the roots this host trusts, from each of the places that make up its root store.
    #>
    return Get-Fact -Reading {
        $stores = @(
            'HKLM:\SOFTWARE\Microsoft\SystemCertificates\ROOT\Certificates'
            'HKLM:\SOFTWARE\Microsoft\SystemCertificates\AuthRoot\Certificates'
            'HKLM:\SOFTWARE\Policies\Microsoft\SystemCertificates\ROOT\Certificates'
            'HKLM:\SOFTWARE\Microsoft\EnterpriseCertificates\Root\Certificates'
        )
        $thumbprints = foreach ($store in $stores) {
            foreach ($name in @(Get-RegistrySubkeyName -Key $store)) { $name.ToUpperInvariant() }
        }
        return New-ListFact -Items @($thumbprints | Sort-Object -Unique)
    }
}
