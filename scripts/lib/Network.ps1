function Get-AddressFact {
    <#
    .SYNOPSIS
    Resolves a host name; absent when there is no such name. Waits three seconds.
    .PARAMETER HostName
    The name.
    #>
    param([Parameter(Mandatory = $true)] [string] $HostName)
    return Get-Fact -Reading {
        $wait = [System.Net.Dns]::BeginGetHostAddresses($HostName, $null, $null)
        if (-not $wait.AsyncWaitHandle.WaitOne(3000)) { throw 'name resolution took over three seconds' }
        try { $addresses = [System.Net.Dns]::EndGetHostAddresses($wait) }
        catch [System.Net.Sockets.SocketException] {
            $cause = $_.Exception.GetBaseException()
            if ('HostNotFound', 'NoData' -contains [string] $cause.SocketErrorCode) { return New-AbsentFact }
            throw
        }
        $texts = foreach ($address in $addresses) { $address.ToString() }
        return New-ListFact -Items @($texts)
    }
}

function Get-EndpointMapperFact {
    <#
    .SYNOPSIS
    Tries TCP 135 of a host, where RPC begins. Waits three seconds.
    .PARAMETER HostName
    The name.
    #>
    param([Parameter(Mandatory = $true)] [string] $HostName)
    return Get-Fact -Reading {
        $client = New-Object -TypeName 'System.Net.Sockets.TcpClient'
        try {
            $wait = $client.BeginConnect($HostName, 135, $null, $null)
            if (-not $wait.AsyncWaitHandle.WaitOne(3000)) { return New-ValueFact -Value $false }
            $client.EndConnect($wait)
            return New-ValueFact -Value $true
        }
        catch [System.Net.Sockets.SocketException] { return New-ValueFact -Value $false }
        finally { $client.Close() }
    }
}

function Get-CertificationAuthorityReach {
    <#
    .SYNOPSIS
    Says what this host sees of a CA host.
    .PARAMETER HostName
    The DNS name of the CA host.
    #>
    param([Parameter(Mandatory = $true)] [string] $HostName)
    return @{
        host                = $HostName
        addresses           = Get-AddressFact -HostName $HostName
        rpc_endpoint_mapper = Get-EndpointMapperFact -HostName $HostName
    }
}
