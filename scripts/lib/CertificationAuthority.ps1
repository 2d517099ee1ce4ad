function Get-ClusterResourceFact {
    <#
    .SYNOPSIS
    Says whether a service is a resource of a failover cluster, whose service must not be restarted by itself.
    .PARAMETER ServiceName
    The short name of the service.
    #>
    param([Parameter(Mandatory = $true)] [string] $ServiceName)
    return Get-Fact -Reading {
        $resources = 'HKLM:\Cluster\Resources'
        foreach ($name in @(Get-RegistrySubkeyName -Key $resources)) {
            $parameters = Get-RegistryKey -Key "$resources\$name\Parameters"
            if ($null -eq $parameters) { continue }
            if ((Get-RegistryText -OpenKey $parameters -Name 'ServiceName') -ne $ServiceName) { continue }
            return New-ValueFact -Value $true
        }
        return New-ValueFact -Value $false
    }
}

function Get-ConfigurationFact {
    <#
    .SYNOPSIS
    Reads the values below a CA's configuration key, named as in a document.
    .PARAMETER Key
    The configuration key of the active CA.
    #>
    param([Parameter(Mandatory = $true)] [string] $Key)
    $ekus = Get-RegistryFact -Key $Key -Name 'EnabledEKUForDefinedCACert' -Kind 'MultiString'
    return @{
        common_name                     = Get-RegistryFact -Key $Key -Name 'CommonName' -Kind 'String'
        ca_server_name                  = Get-RegistryFact -Key $Key -Name 'CAServerName' -Kind 'String'
        ca_type                         = Get-RegistryFact -Key $Key -Name 'CAType' -Kind 'DWord'
        use_ds                          = Get-RegistryFact -Key $Key -Name 'UseDS' -Kind 'DWord'
        interface_flags                 = Get-RegistryFact -Key $Key -Name 'InterfaceFlags' -Kind 'DWord'
        use_defined_ca_cert_in_request  = Get-RegistryFact -Key $Key -Name 'UseDefinedCACertInRequest' -Kind 'DWord'
        enabled_eku_for_defined_ca_cert = $ekus
        security                        = Get-RegistryFact -Key $Key -Name 'Security' -Kind 'Binary'
        ca_cert_hash                    = Get-RegistryFact -Key $Key -Name 'CACertHash' -Kind 'MultiString'
        key_provider                    = Get-RegistryFact -Key "$Key\CSP" -Name 'Provider' -Kind 'String'
        policy_module                   = Get-RegistryFact -Key "$Key\PolicyModules" -Name 'Active' -Kind 'String'
    }
}

function Get-PolicyModuleFact {
    <#
    .SYNOPSIS
    Reads the values of a CA's policy module, named as in a document.
    .PARAMETER Key
    The key of the active policy module.
    #>
    param([Parameter(Mandatory = $true)] [string] $Key)
    return @{
        request_disposition    = Get-RegistryFact -Key $Key -Name 'RequestDisposition' -Kind 'DWord'
        edit_flags             = Get-RegistryFact -Key $Key -Name 'EditFlags' -Kind 'DWord'
        disable_extension_list = Get-RegistryFact -Key $Key -Name 'DisableExtensionList' -Kind 'MultiString'
    }
}
