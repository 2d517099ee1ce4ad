#Requires -Version 5.1

<#
.SYNOPSIS
    Tells whether an approved change of the directory stands. It changes nothing.
.DESCRIPTION
    Where      any member of the domain contoso.test; every other domain is refused
               reads and writes at dc1.contoso.test, where the plan's facts were read
    For        Certificates that Intune hands out (PKCS) do not arrive, or will not. What was found:
               CONTOSO\CONN1$ may read the template but not enrol. Mended by change 1.
                  0x80094012, template IntunePKCS for conn1.contoso.test; remediate calls it
                     denied_by_policy_module
                  seen at CN=IntunePKCS nTSecurityDescriptor: gives this to nobody
               IntunePKCS builds the subject from the directory. Mended by changes 1, 2.
                  0x80094812, template IntunePKCS; remediate calls it subject_email_required
    Reads      1. template IntunePKCS: subject name supplied in the request, and CONTOSO\CONN1$ gets Enroll
               2. publish IntunePKCS on Contoso Issuing CA
    Rights     write access to the template: Enterprise Admins, or delegated on this object
               write access to the enrollment service object: Enterprise Admins, or delegated on this object
    Valid      at any time
    Plan       6784401a86558c3f1107b2d2a7e36c65a59c2d172324aa438852ece8aa127c0a
    Made       by remediate 0.1.0: remediate script plan.json --out FOLDER
               from facts that were read at 2026-11-23T09:12:00Z

    It reads every value and says of each whether it is as wanted. Run it after change.ps1, or at any time.
    What it finds is recorded in verify-result.json beside it; send that file back.
    To read it: '#region plan' says what is read, '#region main', at the end, how; between them are functions.
.PARAMETER ResultPath
    The record that change.ps1 writes; without it result.json beside this script.
.PARAMETER VerifyPath
    The record that this script writes.
.PARAMETER Server
    The domain controller; one for reading, writing and reading back.
.PARAMETER SecureSocketLayer
    Connects by LDAPS rather than signed and sealed on port 389.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\verify.ps1
    Reads every value again.
.NOTES
    Exit codes:
    0  as wanted
    1  a value could not be read, or the result.json that tells of the restart is not here
    2  the problem stands
    3  refused: the wrong host, the wrong rights, or a record that cannot be believed
#>
[CmdletBinding()]
param(
    [string] $ResultPath = '',
    [string] $VerifyPath = '',
    [string] $Server = 'dc1.contoso.test',
    [switch] $SecureSocketLayer
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$WhatIfPreference = $false

#region plan: data only
$Plan = @{
    Digest = '6784401a86558c3f1107b2d2a7e36c65a59c2d172324aa438852ece8aa127c0a'
    Target = 'directory'
    Tool = 'remediate 0.1.0'
    ExpiresAt = '2026-11-30T09:12:00Z'
    NotBefore = ''
    NotAfter = ''
    Server = 'dc1.contoso.test'
    DomainGuid = 'd23661d2-c016-4dac-9f75-28b9518ac661'
    Steps = @(
        @{
            Id = 1
            Kind = 'template'
            Label = 'template IntunePKCS: subject name supplied in the request, and CONTOSO\CONN1$ gets Enroll'
            DependsOn = @()
            Restarts = ''
            Disruption = ''
            UndoMissing = ''
            Accounts = @{
                'S-1-5-21-286331153-286331153-286331153-1105' = 'CONTOSO\CONN1$'
            }
            DistinguishedName = 'CN=IntunePKCS,CN=Certificate Templates,CN=Public Key Services,CN=Services,CN=Configuration,DC=contoso,DC=test'
            Before = @{
                'msPKI-Certificate-Name-Flag' = '0'
                'msPKI-Template-Minor-Revision' = '3'
                'nTSecurityDescriptor' = 'AQAEkAAAAAAAAAAAAAAAABQAAAACABwAAQAAAAAAFACUAAIAAQEAAAAAAAULAAAA'
            }
            After = @{
                'msPKI-Certificate-Name-Flag' = '1'
                'msPKI-Template-Minor-Revision' = '4'
                # + allow  CONTOSO\CONN1$  Enroll   (OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;S-1-5-21-286331153-286331153-286331153-1105)
                # 1 entries of others stay byte for byte
                'nTSecurityDescriptor' = 'AQAEkAAAAAAAAAAAAAAAABQAAAACAFQAAgAAAAAAFACUAAIAAQEAAAAAAAULAAAABQA4AAABAAABAAAAaMkQDvt40hGQ1ADAT3ncVQEFAAAAAAAFFQAAABEREREREREREREREVEEAAA='
            }
        }
        @{
            Id = 2
            Kind = 'publish_template'
            Label = 'publish IntunePKCS on Contoso Issuing CA'
            DependsOn = @(1)
            Restarts = ''
            Disruption = ''
            UndoMissing = ''
            DistinguishedName = 'CN=Contoso Issuing CA,CN=Enrollment Services,CN=Public Key Services,CN=Services,CN=Configuration,DC=contoso,DC=test'
            Template = 'IntunePKCS'
            Before = @{
                'IntunePKCS' = $null
            }
            After = @{
                'IntunePKCS' = 'published'
            }
        }
    )
}
#endregion

#region library: the same text in every script
# (the functions of scripts/lib that this script calls)
#endregion

#region main
try {
    Confirm-Engine
    $ResultPath = Get-RecordPath -Path $ResultPath -Folder $PSScriptRoot -Name 'result.json'
    $VerifyPath = Get-RecordPath -Path $VerifyPath -Folder $PSScriptRoot -Name 'verify-result.json'
}
catch {
    Write-Warning -Message "$($_.Exception.Message) Nothing was changed."
    exit 3
}
# How each kind of step is read.
$read = {
    param($Step)
    switch ($Step['Kind']) {
        'publish_template' {
            $service = @{ Connection = $connection; DistinguishedName = $Step['DistinguishedName'] }
            Get-PublishedTemplateState @service -Template $Step['Template']
        }
        'template' {
            $object = @{ Connection = $connection; DistinguishedName = $Step['DistinguishedName'] }
            Get-TemplateState @object -Name @($Step['After'].psbase.Keys) -Known @($Step['Before'], $Step['After'])
        }
    }
}
$connection = $null
$account = Get-ReaderName
$result = New-RunResult -Kind 'verify' -Plan $Plan -Account $account
try {
    $connection = Connect-Directory -Server $Server -SecureSocketLayer:$SecureSocketLayer
    Confirm-DirectoryIdentity -Connection $connection -DomainGuid $Plan['DomainGuid']
    $change = Read-RunResult -Path $ResultPath -Plan $Plan
    Invoke-PlanVerification -Plan $Plan -Change $change -Result $result -Read $read
}
catch { Stop-PlanRun -Result $result -Message $_.Exception.Message }
finally {
    if ($null -ne $connection) { $connection.Dispose() }
    Close-RunResult -Result $result -Path $VerifyPath
}
exit $result.exit_code
#endregion
