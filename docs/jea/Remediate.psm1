<#
.SYNOPSIS
The functions that change this host, as the module of a JEA endpoint: the files of the folder lib, unchanged.

.DESCRIPTION
A JEA session puts functions of its own in the place of some cmdlets, with fewer parameters (Select-Object is the one
that is used here). The functions of a module would meet them too, so the module says that it means the cmdlet.
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Set-Alias -Name 'Select-Object' -Value 'Microsoft.PowerShell.Utility\Select-Object' -Scope 'Script'
foreach ($file in Get-ChildItem -LiteralPath (Join-Path -Path $PSScriptRoot -ChildPath 'lib') -Filter '*.ps1') {
    . $file.FullName
}
Export-ModuleMember -Function '*-*'
