function New-DirectoryConnection {
    <#
    .SYNOPSIS
    Connects to one domain controller and logs on as whoever runs this; returns the LdapConnection, ready for use.
    .DESCRIPTION
    What is sent is signed and sealed by the logon (Kerberos or NTLM), or goes through TLS, never through both: a domain
    controller refuses that. Referrals to other servers are not followed. Whoever calls this calls Dispose as well.
    Throws an LdapException or a DirectoryOperationException.
    .PARAMETER Server
    The DNS name of the domain controller.
    .PARAMETER Domain
    Says that Server is the DNS name of a domain, of which Windows is to find a controller nearby.
    .PARAMETER SecureSocketLayer
    Connects by LDAPS on port 636. The certificate is verified against the trust of the system.
    .PARAMETER TimeoutSeconds
    How long to wait for each answer.
    .EXAMPLE
    New-DirectoryConnection -Server 'dc1.contoso.com'
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Server,
        [switch] $Domain,
        [switch] $SecureSocketLayer,
        [int] $TimeoutSeconds = 15
    )
    Add-Type -AssemblyName 'System.DirectoryServices.Protocols'
    $port = if ($SecureSocketLayer) { 636 } else { 389 }
    $oneHost = -not $Domain
    $place = [System.DirectoryServices.Protocols.LdapDirectoryIdentifier]::new($Server, $port, $oneHost, $false)
    $connection = [System.DirectoryServices.Protocols.LdapConnection]::new($place)
    try {
        $connection.AuthType = [System.DirectoryServices.Protocols.AuthType]::Negotiate
        $connection.AutoBind = $false
        $connection.Timeout = [timespan]::FromSeconds($TimeoutSeconds)
        $options = $connection.SessionOptions
        $options.ProtocolVersion = 3
        $options.ReferralChasing = [System.DirectoryServices.Protocols.ReferralChasingOptions]::None
        if ($SecureSocketLayer) { $options.SecureSocketLayer = $true }
        else { $options.Signing = $true; $options.Sealing = $true }
        $connection.Bind()
        return $connection
    }
    catch { $connection.Dispose(); throw }
}

function Get-DirectoryCause {
    <#
    .SYNOPSIS
    Finds what the directory's client said below what PowerShell wrapped around it.
    .PARAMETER Exception
    The exception that was caught.
    #>
    param([Parameter(Mandatory = $true)] [System.Exception] $Exception)
    $cause = $Exception
    while ($cause -is [System.Management.Automation.RuntimeException] -and $null -ne $cause.InnerException) {
        $cause = $cause.InnerException
    }
    return $cause
}

function Get-DirectoryErrorCode {
    <#
    .SYNOPSIS
    Names the LDAP result code of an exception, such as LDAP 50; otherwise its HRESULT, or nothing.
    .DESCRIPTION
    Codes up to 80 are the server's answer (RFC 4511, appendix A), those from 81 on are the client's own: 81 is a server
    that cannot be reached, 85 one that does not answer in time.
    .PARAMETER Exception
    The exception that was caught.
    #>
    param([Parameter(Mandatory = $true)] [System.Exception] $Exception)
    $cause = Get-DirectoryCause -Exception $Exception
    if ($cause -is [System.DirectoryServices.Protocols.DirectoryOperationException] -and $null -ne $cause.Response) {
        return "LDAP $([int] $cause.Response.ResultCode)"
    }
    if ($cause -is [System.DirectoryServices.Protocols.LdapException]) { return "LDAP $($cause.ErrorCode)" }
    return Get-ErrorCode -Exception $cause
}
