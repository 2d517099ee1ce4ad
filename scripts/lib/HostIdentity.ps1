function Get-HostIdentity {
    <#
    .SYNOPSIS
    Reads what makes this host the right one: its name, MachineGuid, and on a CA the thumbprint of its certificate.
    .DESCRIPTION
    What does not exist here is absent. Of a CA with several certificates it is the current one's thumbprint.
    .EXAMPLE
    Get-HostIdentity
    #>
    [OutputType([hashtable])]
    param()
    $ErrorActionPreference = 'Stop'
    $identity = @{ ComputerName = $env:COMPUTERNAME; MachineGuid = $null; certificate_thumbprint = $null }
    $key = Get-RegistryKey -Key 'HKLM:\SOFTWARE\Microsoft\Cryptography'
    if ($null -ne $key) { $identity.MachineGuid = Get-RegistryText -OpenKey $key -Name 'MachineGuid' }
    $root = 'HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration'
    if ($null -eq (Get-RegistryKey -Key $root)) { return $identity }
    $configuration = Get-RegistryKey -Key (Get-ActiveCaKey)
    if ($null -ne $configuration -and $configuration.GetValueNames() -contains 'CACertHash') {
        $hashes = @([string[]] $configuration.GetValue('CACertHash'))
        $current = if ($hashes.Count -gt 0) { $hashes[-1] -replace '\s', '' } else { '' }
        if ($current -ne '') { $identity.certificate_thumbprint = $current.ToUpperInvariant() }
    }
    return $identity
}

function Test-ServiceControl {
    <#
    .SYNOPSIS
    Says whether this account may stop and start a service, without doing either: Control is yes, or absent.
    .DESCRIPTION
    The service is opened with all access, which takes more than stopping and starting do. Another failure than
    refused access throws.
    .PARAMETER Name
    The short name of the service.
    .EXAMPLE
    Test-ServiceControl -Name 'CertSvc'
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [ValidateSet('CertSvc')] [string] $Name)
    $ErrorActionPreference = 'Stop'
    $service = Get-Service -Name $Name
    try {
        $handle = $service.ServiceHandle
        if ($null -eq $handle) { return @{ Control = $null } }
        $handle.Dispose()
        return @{ Control = 'yes' }
    }
    catch {
        $cause = $_.Exception.GetBaseException()
        # ERROR_ACCESS_DENIED (winerror.h)
        if ($cause -is [System.ComponentModel.Win32Exception] -and $cause.NativeErrorCode -eq 5) {
            return @{ Control = $null }
        }
        throw (New-StateError -Id 'RemediateRefused' -Message "$Name cannot be opened. $($cause.Message)")
    }
}
