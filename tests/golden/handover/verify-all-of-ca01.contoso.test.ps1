#Requires -Version 5.1

<#
.SYNOPSIS
    Tells whether an approved change of this host stands. It changes nothing.
.DESCRIPTION
    Host       ca01.contoso.test, which Windows calls CA01; every other host is refused
    For        Certificates that Intune hands out (PKCS) do not arrive, or will not. What was found:
               The policy module sets every request to pending. Mended by changes 3, 4.
                  CA Contoso Issuing CA; remediate calls it submission_pending
                  seen at ca01 RequestDisposition: 0x101 (issue, but pending first)
    Reads      3. RequestDisposition 0x101 -> 0x1 on ca01
               4. restart CertSvc on ca01, once
               5. decide once more on request 1207 of CONTOSO\CONN1$
    Rights     local administrator on the CA host
               Issue and Manage Certificates on the CA
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
    [string] $VerifyPath = ''
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$WhatIfPreference = $false

#region plan: data only
$Plan = @{
    Digest = '6784401a86558c3f1107b2d2a7e36c65a59c2d172324aa438852ece8aa127c0a'
    Target = 'ca01.contoso.test'
    Tool = 'remediate 0.1.0'
    ExpiresAt = '2026-11-30T09:12:00Z'
    NotBefore = ''
    NotAfter = ''
    ComputerName = 'CA01'
    MachineGuid = '4a466256-1616-4b62-995f-781af4d5491e'
    CertificateThumbprint = 'ED98E70BE878383F50F941B02A392CD85B062774'
    Steps = @(
        @{
            Id = 3
            Kind = 'ca_registry_value'
            Label = 'RequestDisposition 0x101 -> 0x1 on ca01'
            DependsOn = @(2)
            Restarts = 'CertSvc'
            Disruption = ''
            UndoMissing = ''
            Key = 'HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration\Contoso Issuing CA\PolicyModules\CertificateAuthority_MicrosoftDefault.Policy'
            Name = 'RequestDisposition'
            CertutilName = 'policy\RequestDisposition'
            Before = @{
                'RequestDisposition' = '257'  # 0x101
            }
            After = @{
                'RequestDisposition' = '1'
            }
        }
        @{
            Id = 4
            Kind = 'restart_service'
            Label = 'restart CertSvc on ca01, once'
            DependsOn = @(2, 3)
            Restarts = ''
            Disruption = 'no certificates and no revocation lists while it restarts'
            UndoMissing = ''
            Before = @{
                'State' = 'Running'
            }
            After = @{
                'State' = 'Running'
            }
        }
        @{
            Id = 5
            Kind = 'pending_request'
            Label = 'decide once more on request 1207 of CONTOSO\CONN1$'
            DependsOn = @(4)
            Restarts = ''
            Disruption = ''
            UndoMissing = 'a certificate that was issued can only be revoked'
            RequestId = 1207
            Before = @{
                'Disposition' = 'pending'
            }
            After = @{
                'Disposition' = $null
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
        'ca_registry_value' { Get-CaRegistryValue -Key $Step['Key'] -Name $Step['Name'] }
        'pending_request' { Get-PendingRequestState -RequestId $Step['RequestId'] }
        'restart_service' { Get-CertSvcState }
    }
}
$token = Read-Token
$account = $token['Account']
$result = New-RunResult -Kind 'verify' -Plan $Plan -Account $account
try {
    Confirm-HostIdentity -ComputerName $Plan['ComputerName'] -MachineGuid $Plan['MachineGuid']
    Confirm-CaIdentity -Thumbprint $Plan['CertificateThumbprint']
    Confirm-Administrator -Token $token
    $change = Read-RunResult -Path $ResultPath -Plan $Plan
    Invoke-PlanVerification -Plan $Plan -Change $change -Result $result -Read $read
}
catch { Stop-PlanRun -Result $result -Message $_.Exception.Message }
finally {
    Close-RunResult -Result $result -Path $VerifyPath
}
exit $result.exit_code
#endregion
