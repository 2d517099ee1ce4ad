<#
.SYNOPSIS
    Functions that read the facts of a connector host for remediate. They change nothing.
.DESCRIPTION
    Get-ConnectorDocument is the one to call. It needs the functions of scripts/lib; `remediate collect --scripts`
    writes a file that has them.
#>


function Get-ConnectorProduct {
    <#
    .SYNOPSIS
    Reads what is installed of the certificate connector and how it is set.
    #>
    $names = @(
        'PkiCreateConnectorSvc', 'PfxCreateLegacyConnectorSvc', 'PkiRevokeConnectorSvc', 'PFXCertificateConnectorSvc'
        'PKIConnectorSvc', 'PKICertificateConnectorSvc', 'NDESConnectorSvc'
    )
    $intune = 'HKLM:\SOFTWARE\Microsoft\MicrosoftIntune'
    $connector = "$intune\PFXCertificateConnector"
    $extension = Get-RegistryFact -Key $connector -Name 'EnableSidSecurityExtension' -Kind 'DWord'
    return @{
        services                      = Get-ServiceListFact -Names $names
        connector_version             = Get-ConnectorVersionFact
        enable_sid_security_extension = $extension
        pkcs_enabled                  = Get-RegistryFact -Key $connector -Name 'EnablePFxCreate' -Kind 'DWord'
        connection_status             = Get-ConnectionStatusFact -Key $connector
        legacy_connection_status      = Get-ConnectionStatusFact -Key "$intune\NDESConnector"
    }
}

function Get-ConnectorSurrounding {
    <#
    .SYNOPSIS
    Reads what bears on the connector from outside: enrollment policy, antivirus, trusted roots.
    #>
    $policy = 'Microsoft\Cryptography\PolicyServers'
    return @{
        policy_servers           = Get-PolicyServerFact -Key "HKLM:\SOFTWARE\$policy"
        policy_servers_by_policy = Get-PolicyServerFact -Key "HKLM:\SOFTWARE\Policies\$policy"
        policy_servers_applied   = Get-AppliedPolicyServerFact
        antivirus_folders        = Get-AntivirusFolderFact
        defender_exclusions      = Get-DefenderExclusionFact
        defender_status          = Get-DefenderStatusFact
        defender_policy          = Get-DefenderPolicyFact
        foreign_antivirus        = Get-ForeignAntivirusFact
        trusted_roots            = Get-TrustedRootFact
    }
}

function Get-ConnectorDocument {
    <#
    .SYNOPSIS
    Reads the facts of this connector host and returns them as one line of JSON. Changes nothing.
    .PARAMETER Collector
    The name and version of the collector, which the document repeats.
    .PARAMETER CertificationAuthority
    The DNS names of the CA hosts that the connector must reach.
    .EXAMPLE
    Get-ConnectorDocument -Collector 'remediate 0.1.0' -CertificationAuthority 'ca01.contoso.com'
    #>
    [OutputType([string])]
    param(
        [Parameter(Mandatory = $true)] [string] $Collector,
        [AllowEmptyCollection()] [string[]] $CertificationAuthority = @()
    )
    $intune = "$env:ProgramFiles\Microsoft Intune"
    $folders = foreach ($path in "$intune\PfxRequest", "$intune\PFXCertificateConnector\PfxRequest") {
        Get-RequestFolderSet -Path $path
    }
    $reach = foreach ($name in $CertificationAuthority) { Get-CertificationAuthorityReach -HostName $name }
    $document = Get-Reading -Role 'connector' -Collector $Collector
    $document += Get-ConnectorProduct
    $document += Get-ConnectorSurrounding
    $document.request_folders = ConvertTo-PlainList -Items @($folders)
    $document.certification_authorities = ConvertTo-PlainList -Items @($reach)
    return ConvertTo-Json -InputObject $document -Compress -Depth 10
}
