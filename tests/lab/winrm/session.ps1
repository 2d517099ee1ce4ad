<#
.SYNOPSIS
Runs one PowerShell remoting session over an inherited socket, as wsmprovhost.exe runs one over WinRM.

.DESCRIPTION
The engine's own out-of-process server does the protocol. Its public entry reads the standard input of the process;
here the socket takes that place, which needs two types of the engine that are not public. A version of the engine
that has moved them fails at once and says so.

.PARAMETER Descriptor
The number of the inherited socket.

.PARAMETER ConfigurationFile
The session configuration file (.pssc) that every session starts with.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [int] $Descriptor,
    [Parameter(Mandatory = $true)] [string] $ConfigurationFile
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$Any = [System.Reflection.BindingFlags] 'Instance, Public, NonPublic'

function New-EngineObject {
    param([string] $TypeName, [object[]] $ArgumentList)
    $type = [System.Management.Automation.PSObject].Assembly.GetType("System.Management.Automation.$TypeName", $true)
    [System.Activator]::CreateInstance($type, $Any, $null, $ArgumentList, $null)
}

$handle = [System.Net.Sockets.SafeSocketHandle]::new([System.IntPtr] $Descriptor, $true)
$stream = [System.Net.Sockets.NetworkStream]::new([System.Net.Sockets.Socket]::new($handle), $true)
$encoding = [System.Text.UTF8Encoding]::new($false)
$reader = [System.IO.StreamReader]::new($stream, $encoding)
$writer = [System.IO.StreamWriter]::new($stream, $encoding)
$writer.NewLine = "`n"

$mediator = New-EngineObject -TypeName 'Remoting.Server.StdIOProcessMediator' -ArgumentList @($false)
$mediatorBase = $mediator.GetType().BaseType
$output = New-EngineObject -TypeName 'Remoting.OutOfProcessTextWriter' -ArgumentList @($writer)
$mediatorBase.GetField('originalStdIn', $Any).SetValue($mediator, $reader)
$mediatorBase.GetField('originalStdOut', $Any).SetValue($mediator, $output)

$keys = New-EngineObject -TypeName 'Internal.PSRemotingCryptoHelperServer' -ArgumentList @()
$arguments = [object[]] @($null, $keys, $null, $null, $ConfigurationFile)
$null = $mediatorBase.GetMethod('Start', $Any).Invoke($mediator, $arguments)
