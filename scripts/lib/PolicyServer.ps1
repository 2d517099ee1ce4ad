function Get-EnrollmentPolicyServerState {
    <#
    .SYNOPSIS
    Reads whether an enrollment policy server stands in this machine's own list: Url is its address, or absent.
    .DESCRIPTION
    The list is HKLM:\SOFTWARE\Microsoft\Cryptography\PolicyServers; what Group Policy brings is not in it.
    .PARAMETER Url
    The address of the enrollment policy server.
    .EXAMPLE
    Get-EnrollmentPolicyServerState -Url 'https://cep.contoso.com/ADPolicyProvider_CEP_Kerberos/service.svc/CEP'
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [string] $Url)
    $ErrorActionPreference = 'Stop'
    $list = 'HKLM:\SOFTWARE\Microsoft\Cryptography\PolicyServers'
    foreach ($name in @(Get-RegistrySubkeyName -Key $list)) {
        $row = Get-RegistryKey -Key "$list\$name"
        if ($null -eq $row) { continue }
        $found = Get-RegistryText -OpenKey $row -Name 'URL'
        if ((Format-Url -Url $found) -eq (Format-Url -Url $Url)) { return @{ Url = $Url } }
    }
    return @{ Url = $null }
}

function Format-Url {
    <#
    .SYNOPSIS
    Writes an address in its plain form, so that two spellings of one address compare equal.
    .PARAMETER Url
    The address; what is no address comes back as it is.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Url)
    $address = $Url -as [uri]
    if ($null -ne $address -and $address.IsAbsoluteUri) { return $address.AbsoluteUri }
    return $Url
}

function Test-EnrollmentPolicyServer {
    <#
    .SYNOPSIS
    Says whether an enrollment policy server stands in this machine's own list as wanted.
    .PARAMETER Url
    The address of the enrollment policy server.
    .PARAMETER Wanted
    The wanted state: @{ Url = the address } or @{ Url = $null }.
    #>
    [OutputType([bool])]
    param([Parameter(Mandatory = $true)] [string] $Url, [Parameter(Mandatory = $true)] [hashtable] $Wanted)
    return Test-SameState -Now (Get-EnrollmentPolicyServerState -Url $Url) -Wanted $Wanted
}

function Add-EnrollmentPolicyServer {
    <#
    .SYNOPSIS
    Adds an enrollment policy server to this machine's own list. One that stands there already is left as it is.
    .DESCRIPTION
    The policy is loaded from the address with the machine's own account, so the address must answer. Nothing that
    stands there is overwritten. The list is read back. Returns $false when it stood there already.
    .PARAMETER Url
    The address of the enrollment policy server, beginning with https://.
    .EXAMPLE
    Add-EnrollmentPolicyServer -Url 'https://cep.contoso.com/ADPolicyProvider_CEP_Kerberos/service.svc/CEP' -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string] $Url)
    $ErrorActionPreference = 'Stop'
    $wanted = @{ Url = $Url }
    if ($Url -notlike 'https://*') {
        throw (New-StateError -Id 'RemediateRefused' -Message "$Url is not added: it does not begin with https://.")
    }
    if (Test-EnrollmentPolicyServer -Url $Url -Wanted $wanted) {
        Write-VerboseText -Text "${Url}: already an enrollment policy server of this machine"
        return $false
    }
    $command = 'Add-CertificateEnrollmentPolicyServer -Context Machine -NoClobber'
    if (-not $PSCmdlet.ShouldProcess($Url, $command)) { return }
    Write-VerboseText -Text "running $command -Url $Url"
    try { $null = Add-CertificateEnrollmentPolicyServer -Url $Url -Context Machine -NoClobber -Confirm:$false }
    catch { throw (New-StateError -Id 'RemediateFailed' -Message "$command -Url $Url failed. $($_.Exception.Message)") }
    Confirm-StateWritten -Address $Url -Now (Get-EnrollmentPolicyServerState -Url $Url) -Wanted $wanted
}

function Remove-EnrollmentPolicyServer {
    <#
    .SYNOPSIS
    Takes an enrollment policy server off this machine's own list. One that is not there is left as it is.
    .DESCRIPTION
    This is the way back from Add-EnrollmentPolicyServer. The list is read back. Returns $false when it was not there.
    .PARAMETER Url
    The address of the enrollment policy server.
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string] $Url)
    $ErrorActionPreference = 'Stop'
    $wanted = @{ Url = $null }
    if (Test-EnrollmentPolicyServer -Url $Url -Wanted $wanted) {
        Write-VerboseText -Text "${Url}: no enrollment policy server of this machine"
        return $false
    }
    $command = 'Remove-CertificateEnrollmentPolicyServer -Context Machine'
    if (-not $PSCmdlet.ShouldProcess($Url, $command)) { return }
    Write-VerboseText -Text "running $command -Url $Url"
    try { $null = Remove-CertificateEnrollmentPolicyServer -Url $Url -Context Machine -Confirm:$false }
    catch { throw (New-StateError -Id 'RemediateFailed' -Message "$command -Url $Url failed. $($_.Exception.Message)") }
    Confirm-StateWritten -Address $Url -Now (Get-EnrollmentPolicyServerState -Url $Url) -Wanted $wanted
}
