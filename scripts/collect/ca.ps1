<#
.SYNOPSIS
    Functions that read the facts of a CA host for remediate. They change nothing.
.DESCRIPTION
    Get-CertificationAuthorityDocument is the one to call. It needs the functions of scripts/lib; `remediate collect
    --scripts` writes a file that has them.
#>


function Get-ActiveConfiguration {
    <#
    .SYNOPSIS
    Reads the values of the active CA and of its active policy module. What hangs on an unknown name is left out.
    #>
    $root = 'HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration'
    $facts = @{ configuration_key = ''; active = (Get-RegistryFact -Key $root -Name 'Active' -Kind 'String') }
    if (-not $facts.active.ContainsKey('value')) { return $facts }
    $facts.configuration_key = "$root\$($facts.active.value)"
    $facts += Get-ConfigurationFact -Key $facts.configuration_key
    if ($facts.policy_module.ContainsKey('value')) {
        $facts += Get-PolicyModuleFact -Key "$($facts.configuration_key)\PolicyModules\$($facts.policy_module.value)"
    }
    return $facts
}

function Get-CertificationAuthorityDocument {
    <#
    .SYNOPSIS
    Reads the facts of this CA host and returns them as one line of JSON. Changes nothing.
    .PARAMETER Collector
    The name and version of the collector, which the document repeats.
    .EXAMPLE
    Get-CertificationAuthorityDocument -Collector 'remediate 0.1.0'
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [string] $Collector)
    $provider = 'Microsoft-Windows-CertificationAuthority'
    $document = Get-Reading -Role 'ca' -Collector $Collector
    $document += Get-ActiveConfiguration
    $document += @{
        service          = Get-ServiceFact -Name 'CertSvc'
        service_control  = Get-ServiceControlFact -Name 'CertSvc'
        cluster_resource = Get-ClusterResourceFact -ServiceName 'CertSvc'
        event_128        = Get-EventFact -LogName 'Application' -ProviderName $provider -Id 128
        pending_requests = Get-PendingRequestFact
        ping             = Get-PingFact
    }
    return ConvertTo-Json -InputObject $document -Compress -Depth 10
}
