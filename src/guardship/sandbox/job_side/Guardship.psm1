# What a PowerShell runbook may ask of Guardship: the cmdlets of Azure Automation, over the job's own socket (PowerShell 7.4 and up).

$script:Socket = $env:GUARDSHIP_JOB_SOCKET
$script:Token = (Get-Content -Raw /job/.token).Trim()
Remove-Item /job/.token

function Invoke-JobDoor {
    param([string]$Method, [string]$Path, $Body)
    $call = @{ Method = $Method; Uri = "http://guardship$Path"; UnixSocket = $script:Socket; Headers = @{ Authorization = "Bearer $script:Token" } }
    if ($null -ne $Body) { $call.Body = ($Body | ConvertTo-Json -Depth 50); $call.ContentType = 'application/json' }
    Invoke-RestMethod @call
}

function Get-AutomationConnection { param([Parameter(Mandatory)][string]$Name) Invoke-JobDoor GET "/assets/connections/$([uri]::EscapeDataString($Name))" }

function Get-AutomationVariable { param([Parameter(Mandatory)][string]$Name) (Invoke-JobDoor GET "/assets/variables/$([uri]::EscapeDataString($Name))").value }

function Set-AutomationVariable {
    param([Parameter(Mandatory)][string]$Name, $Value)
    Invoke-JobDoor PUT "/assets/variables/$([uri]::EscapeDataString($Name))" @{ value = $Value } | Out-Null
}

function Get-AutomationPSCredential {
    param([Parameter(Mandatory)][string]$Name)
    $found = Invoke-JobDoor GET "/assets/credentials/$([uri]::EscapeDataString($Name))"
    [pscredential]::new($found.username, (ConvertTo-SecureString $found.password -AsPlainText -Force))
}

function Write-JobStream { param([string]$Stream, [string]$Text) Invoke-JobDoor POST '/streams' @{ stream = $Stream; text = $Text } | Out-Null }

function Invoke-Arm {
    param([string]$Method, [string]$Path, $Body)
    Invoke-JobDoor $Method "/arm/$($Path.TrimStart('/'))" $Body
}

Export-ModuleMember -Function Get-Automation*, Set-Automation*, Write-JobStream, Invoke-Arm
